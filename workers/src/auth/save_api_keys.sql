-- Writes only rows that are as they were loaded: a missing row in the count means that another worker was faster. A scope
-- has no spaces, so a key's scopes travel as one text; rows of differing lengths can't be unnested otherwise.
INSERT INTO auth.api_keys AS stored
    (key_id, client_id, name, scopes, key_prefix, key_hash, expires_at, last_used_at, status, version)
SELECT
    changed.key_id, changed.client_id, changed.name, string_to_array(changed.scopes, ' '), changed.key_prefix,
    changed.key_hash, changed.expires_at, changed.last_used_at, changed.status, changed.version
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[],
    $9::text[], $10::bigint[]
) AS changed (key_id, client_id, name, scopes, key_prefix, key_hash, expires_at, last_used_at, status, version)
ON CONFLICT (key_id) DO UPDATE
SET status = excluded.status, last_used_at = excluded.last_used_at, version = excluded.version, updated_at = now()
WHERE stored.version = excluded.version - 1
