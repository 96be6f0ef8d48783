-- The key with this hash, found by its unique index.
SELECT key_id, client_id, scopes, expires_at, status FROM auth.api_keys WHERE key_hash = $1
