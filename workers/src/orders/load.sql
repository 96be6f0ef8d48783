-- Every row the batch declared. Orders are locked in key order, so that two workers can't wait for each other. Customers are
-- not: most batches only look at them, and one that has many orders would have its batches worked one after the other. What a
-- batch changes of them is checked by its version when it is saved.
WITH customers AS (
    SELECT user_id, status, version
    FROM orders.customers
    WHERE user_id = ANY ($1::uuid[])
),
orders AS (
    SELECT order_id, user_id, currency, total_minor, lines, status, payment, version
    FROM orders.orders
    WHERE order_id = ANY ($2::uuid[])
    ORDER BY order_id
    FOR UPDATE
)
SELECT
    NULL::uuid   AS order_id,
    user_id      AS "user_id!",
    NULL::text   AS currency,
    NULL::bigint AS total_minor,
    NULL::text   AS lines,
    status       AS "status!",
    NULL::text   AS payment,
    version      AS "version!"
FROM customers
UNION ALL
SELECT order_id, user_id, currency, total_minor, lines::text, status, payment, version
FROM orders
