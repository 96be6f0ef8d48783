-- The attempts have ended: they did not kill the process.
DELETE FROM ledger.started_attempts WHERE handler = $1 AND message_id = ANY ($2::uuid[])
