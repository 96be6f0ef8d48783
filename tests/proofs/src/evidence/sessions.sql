-- Whoever else is connected to this database, and since when each has done nothing.
SELECT
    coalesce(application_name, '')                                               AS application,
    coalesce(state, '')                                                          AS state,
    coalesce(extract(epoch FROM clock_timestamp() - state_change), 0)::double precision AS idle_s
FROM pg_stat_activity
WHERE datname = current_database()
  AND backend_type = 'client backend'
  AND application_name <> 'millrace-checker'
