-- Attempts at redelivered messages that have started and not ended. A message is redelivered when a worker ended or lost its
-- connection while it held it. The worker records here that it starts an attempt before it does. When it ends again, rows tell
-- the messages that it was processing from those that it only held. The transaction that settles a message deletes its row,
-- unless the message is dead-lettered for its crashes.
CREATE TABLE ledger.started_attempts (
    handler    text        NOT NULL,
    message_id uuid        NOT NULL,
    -- The number of attempts since its first redelivery.
    attempts   integer     NOT NULL CHECK (attempts > 0),
    -- When the last one started.
    started_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (handler, message_id)
);
