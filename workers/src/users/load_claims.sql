-- Every address that the batch declared or that its users have, locked in key order. A statement of its own, since one that
-- began before the users were locked may miss the address that another worker has just given one of them.
SELECT email, user_id, version
FROM users.email_claims
WHERE email = ANY ($1::text[])
ORDER BY email
FOR UPDATE
