-- How far the flows of some jobs are. Each flow is found in a narrow range of the primary key for each handler.
SELECT
    followed.job_id              AS "job_id!",
    count(*)                     AS "rows!",
    sum(entry.attempts)::bigint  AS "attempts!",
    max(entry.handled_at)        AS "latest!"
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) AS followed (job_id, low, high, client_id)
CROSS JOIN unnest($5::text[]) AS handler (name)
JOIN ledger.entries AS entry
    ON entry.handler = handler.name
    AND entry.message_id BETWEEN followed.low AND followed.high
    AND entry.job_id = followed.job_id
    AND entry.client_id = followed.client_id
GROUP BY followed.job_id
