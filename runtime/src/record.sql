-- The transaction's last word. A message that another worker has meanwhile finished is left out of the count, and the
-- whole batch is then decided again. A failed attempt's row is overwritten by the next attempt.
INSERT INTO ledger.entries AS stored
    (handler, message_id, job_id, causation_id, client_id, type, status, attempts, fingerprint, result, problem,
     emitted, received_at, handled_at)
SELECT
    $1, entry.message_id, entry.job_id, entry.causation_id, entry.client_id, entry.type, entry.status, entry.attempts,
    entry.fingerprint, entry.result::json, entry.problem::json, entry.emitted::json, entry.received_at,
    entry.handled_at
FROM unnest(
    $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::text[], $10::text[],
    $11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[]
) AS entry (
    message_id, job_id, causation_id, client_id, type, status, attempts, fingerprint, result, problem, emitted,
    received_at, handled_at
)
ORDER BY entry.message_id
ON CONFLICT (handler, message_id) DO UPDATE
SET status = excluded.status, attempts = excluded.attempts, result = excluded.result, problem = excluded.problem,
    emitted = excluded.emitted, handled_at = excluded.handled_at
WHERE stored.status IN ('retrying', 'dead')
RETURNING message_id
