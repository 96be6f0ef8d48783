-- Counts a run of each message. A message that may be in the batch twice is counted once; the order keeps two workers
-- that hold the same messages from waiting for each other.
INSERT INTO ledger.suspects AS suspect (handler, message_id, runs)
SELECT $1, message_id, 1
FROM (SELECT DISTINCT unnest($2::uuid[]) AS message_id ORDER BY 1) AS batch
ON CONFLICT (handler, message_id) DO UPDATE SET runs = suspect.runs + 1, marked_at = now()
