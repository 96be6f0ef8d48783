-- Goes through the table page by page in the order of its primary key, so that each row is read once, and deletes the
-- old ones. Gives back where the page ended, and nothing after the last page.
WITH page AS (
    SELECT handler, message_id
    FROM ledger.entries_other
    WHERE (handler, message_id) > ($1, $2)
    ORDER BY handler, message_id
    LIMIT $3
),
forgotten AS (
    DELETE FROM ledger.entries_other AS entry
    USING page
    WHERE entry.handler = page.handler AND entry.message_id = page.message_id AND entry.handled_at < $4
    RETURNING 1
)
SELECT (SELECT count(*) FROM forgotten) AS "rows!", handler, message_id
FROM page
ORDER BY handler DESC, message_id DESC
LIMIT 1
