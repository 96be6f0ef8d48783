-- What was written into the ledger, oldest first. Rows that were only moved to another partition are no news.
SELECT
    handler, message_id, type, status, attempts, substring(problem::json ->> 'type' FROM '[^:]*$') AS problem,
    emitted_md5, txid, noted_at
FROM checker.notes
WHERE operation <> 'DELETE'
ORDER BY seq
