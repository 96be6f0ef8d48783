-- How a job was posted, from the row of the first worker that received it. An idempotency key belongs to one job, whatever
-- its command, so the rows of every domain are looked up, by the primary key.
SELECT type AS message_type, fingerprint
FROM ledger.entries
WHERE handler = ANY ($1) AND message_id = $2 AND client_id = $3
ORDER BY received_at
LIMIT 1
