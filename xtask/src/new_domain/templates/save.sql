-- Writes only rows that are as they were loaded: a missing row in the count means that another worker was faster.
INSERT INTO {{domain}}.{{nouns}} AS stored ({{subject}}, status, version)
SELECT changed.{{subject}}, changed.status, changed.version
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS changed ({{subject}}, status, version)
ON CONFLICT ({{subject}}) DO UPDATE
SET status = excluded.status, version = excluded.version, updated_at = now()
WHERE stored.version = excluded.version - 1
