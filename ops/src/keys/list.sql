SELECT key_id, key_prefix, client_id, name, scopes, status, expires_at, last_used_at
FROM auth.api_keys
ORDER BY client_id, key_id
