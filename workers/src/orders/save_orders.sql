-- Writes only rows that are as they were loaded: a missing row in the count means that another worker was faster.
INSERT INTO orders.orders AS stored
    (order_id, user_id, currency, total_minor, lines, status, payment, version)
SELECT
    changed.order_id, changed.user_id, changed.currency, changed.total_minor, changed.lines::json, changed.status,
    changed.payment, changed.version
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[])
    AS changed (order_id, user_id, currency, total_minor, lines, status, payment, version)
ON CONFLICT (order_id) DO UPDATE
SET status = excluded.status, payment = excluded.payment, version = excluded.version, updated_at = now()
WHERE stored.version = excluded.version - 1
