-- Redelivered messages: a worker ended or lost its connection while it held them. The worker records here that it starts an
-- attempt before it does. When it ends again, rows tell the messages that it was processing from those that it only held.
-- The transaction that settles a message deletes its row, unless the message is dead-lettered for its crashes.
CREATE TABLE ledger.suspects (
    handler    text        NOT NULL,
    message_id uuid        NOT NULL,
    -- The number of started attempts since its first redelivery.
    runs       integer     NOT NULL CHECK (runs > 0),
    marked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (handler, message_id)
);
