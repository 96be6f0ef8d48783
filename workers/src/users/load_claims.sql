-- Every address the batch declared or its users have. A statement of its own: only what begins after the users are locked
-- sees the addresses that they have since another worker let them go.
SELECT email, user_id, version
FROM users.email_claims
WHERE email = ANY ($1::text[])
ORDER BY email
FOR UPDATE
