-- Writes only rows that are as they were loaded: a missing row in the count means that another worker was faster.
INSERT INTO auth.accounts AS stored (user_id, status, password_hash, version)
SELECT changed.user_id, changed.status, changed.password_hash, changed.version
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS changed (user_id, status, password_hash, version)
ON CONFLICT (user_id) DO UPDATE
SET status = excluded.status, password_hash = excluded.password_hash, version = excluded.version, updated_at = now()
WHERE stored.version = excluded.version - 1
