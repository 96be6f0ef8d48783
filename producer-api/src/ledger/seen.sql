-- Whether the database answers and has been migrated.
SELECT to_regclass('ledger.entries') IS NOT NULL AS "migrated!"
