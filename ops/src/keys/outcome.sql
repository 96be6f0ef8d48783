-- The outcome of a job's own command; no row before a worker has processed it.
SELECT status, problem ->> 'detail' AS problem
FROM ledger.entries
WHERE handler = 'auth' AND message_id = $1
