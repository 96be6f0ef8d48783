-- How many attempts at these messages have started and not ended. A message that is not here has none.
SELECT message_id, attempts FROM ledger.started_attempts WHERE handler = $1 AND message_id = ANY ($2::uuid[])
