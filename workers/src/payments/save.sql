-- Writes only rows that are as they were loaded: a missing row in the count means that another worker was faster.
INSERT INTO payments.payments AS stored
    (order_id, payment_id, amount_minor, currency, payment_method, status, refund_due, decline_reason,
     gateway_reference, version)
SELECT
    changed.order_id, changed.payment_id, changed.amount_minor, changed.currency, changed.payment_method,
    changed.status, changed.refund_due, changed.decline_reason, changed.gateway_reference, changed.version
FROM unnest(
    $1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::text[],
    $9::text[], $10::bigint[]
) AS changed (order_id, payment_id, amount_minor, currency, payment_method, status, refund_due, decline_reason,
    gateway_reference, version)
ON CONFLICT (order_id) DO UPDATE
SET status = excluded.status, refund_due = excluded.refund_due, decline_reason = excluded.decline_reason,
    gateway_reference = excluded.gateway_reference, version = excluded.version, updated_at = now()
WHERE stored.version = excluded.version - 1
