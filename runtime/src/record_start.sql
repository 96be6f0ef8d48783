-- Records that an attempt at each message starts. A message that is in the batch twice is counted once; the order keeps two
-- workers that hold the same messages from waiting for each other.
INSERT INTO ledger.started_attempts AS started (handler, message_id, attempts)
SELECT $1, message_id, 1
FROM (SELECT DISTINCT unnest($2::uuid[]) AS message_id ORDER BY 1) AS batch
ON CONFLICT (handler, message_id) DO UPDATE SET attempts = started.attempts + 1, started_at = now()
