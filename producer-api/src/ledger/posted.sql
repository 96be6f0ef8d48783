-- How a job was posted, as the first worker that had it noted. A client's own key names one job, whatever the command, so
-- each domain is looked at, by the primary key.
SELECT type AS message_type, fingerprint
FROM ledger.entries
WHERE handler = ANY ($1) AND message_id = $2 AND client_id = $3
ORDER BY received_at
LIMIT 1
