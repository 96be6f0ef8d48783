DELETE FROM ledger.suspects WHERE marked_at < $1
