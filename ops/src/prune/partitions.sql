-- The weekly partitions whose ids are all older than $1, with their numbers of rows. A row with an old id may have been
-- handled recently, for example after an operator redrove its message.
WITH old_rows AS (
    SELECT tableoid, count(*) AS rows, max(handled_at) AS last_handled_at
    FROM ledger.entries
    WHERE message_id < ledger.floor_of($1)
    GROUP BY tableoid
)
SELECT
    partition.relname::text          AS "name!",
    coalesce(old_rows.rows, 0)       AS "rows!",
    old_rows.last_handled_at         AS last_handled_at
FROM pg_inherits
JOIN pg_class AS partition ON partition.oid = pg_inherits.inhrelid
LEFT JOIN old_rows ON old_rows.tableoid = partition.oid
-- The default partition and that of keyed ids have no such bound.
WHERE pg_inherits.inhparent = 'ledger.entries'::regclass
  AND substring(pg_get_expr(partition.relpartbound, partition.oid) FROM 'TO \(''([0-9a-f-]{36})''\)')::uuid
      <= ledger.floor_of($1)
ORDER BY partition.relname
