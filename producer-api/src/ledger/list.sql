-- A page of a client's own jobs, newest first. However few jobs match, only a bounded number is examined; the row marked
-- as end is the last one examined, and the next page begins after it.
WITH examined AS (
    SELECT message_id AS job_id, type, status, attempts, received_at, handled_at
    FROM ledger.entries
    WHERE client_id = $1
      AND message_id = job_id
      AND ($2::timestamptz IS NULL OR received_at >= $2)
      AND ($3::timestamptz IS NULL OR (received_at, message_id) < ($3, $4::uuid))
    ORDER BY received_at DESC, message_id DESC
    LIMIT $5
),
page AS (
    SELECT job_id, type, status, attempts, received_at, handled_at
    FROM examined
    WHERE ($6::text IS NULL OR status = $6) AND ($7::text IS NULL OR type = $7)
    ORDER BY received_at DESC, job_id DESC
    LIMIT $8
)
SELECT
    false       AS "is_end!",
    0::bigint   AS "examined!",
    job_id      AS "job_id!",
    type        AS "type!",
    status      AS "status!",
    attempts    AS "attempts!",
    received_at AS "received_at!",
    handled_at  AS "handled_at!"
FROM page
UNION ALL
(SELECT true, count(*) OVER (), job_id, type, status, attempts, received_at, handled_at
 FROM examined
 ORDER BY received_at, job_id
 LIMIT 1)
