-- What was written into the domains' tables, oldest first.
SELECT operation, place, key, old_version, new_version, old_state, new_state, txid, noted_at
FROM checker.effects
ORDER BY seq
