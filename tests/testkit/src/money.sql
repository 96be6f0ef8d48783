-- Currencies in which what payments holds is not what orders believes to be paid and not refunded.
SELECT count(*)
FROM (
    SELECT currency, sum(amount_minor) AS held
    FROM payments.payments
    WHERE status = 'captured'
    GROUP BY currency
) AS payments
FULL JOIN (
    SELECT currency, sum(total_minor) AS held
    FROM orders.orders
    WHERE payment = 'paid'
    GROUP BY currency
) AS orders USING (currency)
WHERE payments.held IS DISTINCT FROM orders.held
