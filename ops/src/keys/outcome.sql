-- What became of a job's own command, once a worker has touched it.
SELECT status, problem ->> 'detail' AS problem
FROM ledger.entries
WHERE handler = 'auth' AND message_id = $1
