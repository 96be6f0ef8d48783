-- Writes only rows that are as they were loaded: a missing row in the count means that another worker was faster.
INSERT INTO users.users AS stored (user_id, email, name, status, version)
SELECT changed.user_id, changed.email, changed.name, changed.status, changed.version
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    AS changed (user_id, email, name, status, version)
ON CONFLICT (user_id) DO UPDATE
SET email = excluded.email, name = excluded.name, status = excluded.status, version = excluded.version, updated_at = now()
WHERE stored.version = excluded.version - 1
