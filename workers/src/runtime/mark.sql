-- Counts this run, and says how many there were before. A message that does nothing worse than being asked for has one.
INSERT INTO ledger.suspects AS suspect (handler, message_id, runs)
VALUES ($1, $2, 1)
ON CONFLICT (handler, message_id) DO UPDATE SET runs = suspect.runs + 1, marked_at = now()
RETURNING runs
