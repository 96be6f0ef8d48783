-- For listing a client's jobs in the order of their arrival; it contains all columns of the list. Only a job's first message
-- is indexed, so follow-ups cost nothing. Partitions that are created later get the index by themselves. While it is built,
-- workers wait with their writes and use up no attempt.
CREATE INDEX entries_jobs ON ledger.entries (client_id, received_at DESC, message_id DESC)
INCLUDE (status, type)
WHERE message_id = job_id;
