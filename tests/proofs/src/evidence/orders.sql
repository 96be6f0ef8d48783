-- What orders believes.
SELECT order_id, currency, total_minor, status, payment
FROM orders.orders
