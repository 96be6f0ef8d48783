-- What came to an end in transactions from the first number to below the second.
SELECT
    entry.handler, entry.message_id, entry.job_id, entry.client_id, entry.status, entry.fingerprint, entry.emitted::text
FROM checker.notes AS note
JOIN ledger.entries AS entry USING (handler, message_id)
WHERE note.txid >= $1
  AND note.txid < $2
  AND note.status <> 'retrying'
ORDER BY note.seq
