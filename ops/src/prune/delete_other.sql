-- Deletes the old rows of one page. Pages follow the primary key, so each row is read once. Returns the last key of the
-- page, and no row after the last page.
WITH page AS (
    SELECT handler, message_id
    FROM ledger.entries_other
    WHERE (handler, message_id) > ($1, $2)
    ORDER BY handler, message_id
    LIMIT $3
),
deleted AS (
    DELETE FROM ledger.entries_other AS entry
    USING page
    WHERE entry.handler = page.handler AND entry.message_id = page.message_id AND entry.handled_at < $4
    RETURNING 1
)
SELECT (SELECT count(*) FROM deleted) AS "rows!", handler, message_id
FROM page
ORDER BY handler DESC, message_id DESC
LIMIT 1
