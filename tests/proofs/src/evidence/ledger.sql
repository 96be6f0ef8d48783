-- The ledger; of results only the id that they are about, of problems only the name.
SELECT
    handler, message_id, job_id, causation_id, client_id, type, status, attempts, fingerprint,
    coalesce(result ->> 'order_id', result ->> 'key_id', result ->> 'user_id') AS subject,
    substring(problem ->> 'type' FROM '[^:]*$')                                AS problem,
    emitted::text                                                              AS emitted
FROM ledger.entries
