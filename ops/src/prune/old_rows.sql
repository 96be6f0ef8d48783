SELECT
    (SELECT count(*) FROM ledger.entries_keyed WHERE handled_at < $1) AS "keyed!",
    (SELECT count(*) FROM ledger.entries_other WHERE handled_at < $1) AS "other!"
