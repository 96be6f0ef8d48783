-- Which of these messages this handler is done with. Each is looked for by the whole primary key: over a range of ids,
-- Postgres reads all rows of it and compares each with all ids. OFFSET 0 keeps it from joining the other way round, and the
-- bounds tell it at the start which partitions it needs.
SELECT done.message_id AS "message_id!", done.emitted
FROM unnest($2::uuid[]) AS batch (message_id)
CROSS JOIN LATERAL (
    SELECT message_id, emitted::text AS emitted
    FROM ledger.entries
    WHERE handler = $1
      AND message_id = batch.message_id
      AND message_id BETWEEN $3 AND $4
      AND status IN ('succeeded', 'refused')
    OFFSET 0
) AS done
