-- Writes only rows that are as they were loaded: a missing row in the count means that another worker was faster.
INSERT INTO orders.customers AS stored (user_id, status, version)
SELECT changed.user_id, changed.status, changed.version
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS changed (user_id, status, version)
ON CONFLICT (user_id) DO UPDATE
SET status = excluded.status, version = excluded.version, updated_at = now()
WHERE stored.version = excluded.version - 1
