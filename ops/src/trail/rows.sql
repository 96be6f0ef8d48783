-- All rows of one job. The ids of a job's messages share their first 48 bits, so the primary key finds the rows in one
-- narrow range per handler and in one partition.
SELECT handler, message_id, client_id, type, status, attempts, problem ->> 'detail' AS problem,
       emitted AS "emitted: Json<Vec<Emitted>>", received_at, handled_at
FROM ledger.entries
WHERE handler = ANY ($1) AND message_id BETWEEN $2 AND $3 AND job_id = $4
ORDER BY received_at, message_id, handler
