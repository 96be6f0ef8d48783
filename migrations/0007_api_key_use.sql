-- When the door last let somebody in with a key; NULL for one that was never used. The door tells auth so now and then.
ALTER TABLE auth.api_keys ADD COLUMN last_used_at timestamptz;
