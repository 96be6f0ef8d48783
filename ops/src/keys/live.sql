-- The keys that are accepted now, the oldest first.
SELECT key_prefix, client_id, scopes
FROM auth.api_keys
WHERE status = 'active' AND (expires_at IS NULL OR expires_at > now())
ORDER BY key_id
