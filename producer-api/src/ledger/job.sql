-- Every row of one job. All ids of a flow share their first 48 bits, so the primary key finds the rows in one narrow range
-- per handler, in one partition. A client sees its own rows only.
SELECT handler,
       message_id,
       causation_id,
       type,
       status,
       attempts,
       result AS "result: Json<Value>",
       problem AS "problem: Json<Value>",
       emitted AS "emitted: Json<Vec<Emitted>>",
       received_at,
       handled_at
FROM ledger.entries
WHERE handler = ANY ($1)
  AND message_id BETWEEN $2 AND $3
  AND job_id = $4
  AND client_id = $5
ORDER BY received_at, message_id, handler
