-- Every user the batch declared, locked in key order, so that two workers can't wait for each other. Users come before
-- claims in every transaction of this domain.
SELECT user_id, email, name, status, version
FROM users.users
WHERE user_id = ANY ($1::uuid[])
ORDER BY user_id
FOR UPDATE
