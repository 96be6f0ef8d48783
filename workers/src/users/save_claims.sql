-- Writes and deletes (`user_id` is null) only rows that are as they were loaded: a missing row in the count means that
-- another worker was faster.
WITH changed AS (
    SELECT email, user_id, version
    FROM unnest($1::text[], $2::uuid[], $3::bigint[]) AS changed (email, user_id, version)
),
released AS (
    DELETE FROM users.email_claims AS stored
    USING changed
    WHERE stored.email = changed.email AND stored.version = changed.version - 1 AND changed.user_id IS NULL
    RETURNING stored.email
),
claimed AS (
    INSERT INTO users.email_claims AS stored (email, user_id, version)
    SELECT email, user_id, version
    FROM changed
    WHERE user_id IS NOT NULL
    ON CONFLICT (email) DO UPDATE
    SET user_id = excluded.user_id, version = excluded.version, updated_at = now()
    WHERE stored.version = excluded.version - 1
    RETURNING stored.email
)
SELECT (SELECT count(*) FROM released) + (SELECT count(*) FROM claimed) AS "written!"
