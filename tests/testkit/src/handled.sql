-- Every message that a handler has seen, how it stands, and what was sent out for it.
SELECT handler, message_id, status, emitted::text
FROM ledger.entries
