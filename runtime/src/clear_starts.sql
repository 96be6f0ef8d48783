-- The messages did not kill the process.
DELETE FROM ledger.suspects WHERE handler = $1 AND message_id = ANY ($2::uuid[])
