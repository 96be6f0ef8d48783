-- Every row the batch declared, locked in key order, so that two workers can't wait for each other.
SELECT
    order_id, payment_id, amount_minor, currency, payment_method, status, refund_due, decline_reason,
    gateway_reference, version
FROM payments.payments
WHERE order_id = ANY ($1::uuid[])
ORDER BY order_id
FOR UPDATE
