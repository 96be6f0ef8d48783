-- A client's own jobs, in the order in which they came, for whoever lists them; what the list shows is in the index. Only
-- a job's first message is in it, so the rows of what follows from a job cost nothing. Partitions that are prepared later
-- get it by themselves. While it is built, workers wait with what they would write, and burn no attempt.
CREATE INDEX entries_jobs ON ledger.entries (client_id, received_at DESC, message_id DESC)
INCLUDE (status, type)
WHERE message_id = job_id;
