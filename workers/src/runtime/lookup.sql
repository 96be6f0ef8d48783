-- Which of these messages this handler is done with. The bounds let the planner skip partitions, which it can't do for
-- an array alone.
SELECT message_id, emitted::text AS emitted
FROM ledger.entries
WHERE handler = $1
  AND message_id = ANY ($2::uuid[])
  AND message_id BETWEEN $3 AND $4
  AND status IN ('succeeded', 'refused')
