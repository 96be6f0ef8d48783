DELETE FROM ledger.started_attempts WHERE started_at < $1
