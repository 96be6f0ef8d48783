-- Every row the batch declared, locked in key order: customers first, then orders, as in every transaction of this domain,
-- so that two workers can't wait for each other.
WITH customers AS (
    SELECT user_id, status, version
    FROM orders.customers
    WHERE user_id = ANY ($1::uuid[])
    ORDER BY user_id
    FOR UPDATE
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
