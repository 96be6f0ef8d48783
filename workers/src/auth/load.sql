-- Every row the batch declared, locked in key order: accounts first, then API keys, as in every transaction of this domain,
-- so that two workers can't wait for each other.
WITH accounts AS (
    SELECT user_id, status, password_hash, version
    FROM auth.accounts
    WHERE user_id = ANY ($1::uuid[])
    ORDER BY user_id
    FOR UPDATE
),
api_keys AS (
    SELECT key_id, client_id, name, scopes, key_prefix, key_hash, expires_at, last_used_at, status, version
    FROM auth.api_keys
    WHERE key_id = ANY ($2::uuid[])
    ORDER BY key_id
    FOR UPDATE
)
SELECT
    user_id,
    NULL::uuid        AS key_id,
    NULL::text        AS client_id,
    NULL::text        AS name,
    NULL::text[]      AS scopes,
    NULL::text        AS key_prefix,
    password_hash     AS hash,
    NULL::timestamptz AS expires_at,
    NULL::timestamptz AS last_used_at,
    status            AS "status!",
    version           AS "version!"
FROM accounts
UNION ALL
SELECT NULL::uuid, key_id, client_id, name, scopes, key_prefix, key_hash, expires_at, last_used_at, status, version
FROM api_keys
