-- What payments holds.
SELECT order_id, currency, amount_minor, payment_method, status
FROM payments.payments
