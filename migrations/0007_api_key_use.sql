-- When a request with this key was last accepted; NULL for a key that was never used. The API reports it from time to time.
ALTER TABLE auth.api_keys ADD COLUMN last_used_at timestamptz;
