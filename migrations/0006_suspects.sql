-- Messages that are worked alone, because they came back again and again after a process died, or lost its connection,
-- while it held them. How often such a run was begun is written here before it is, so that a message which kills the
-- process is known by its row. The transaction that settles the message removes it, unless it gives it up for that.
CREATE TABLE ledger.suspects (
    handler    text        NOT NULL,
    message_id uuid        NOT NULL,
    -- How often work on it alone has begun.
    runs       integer     NOT NULL CHECK (runs > 0),
    marked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (handler, message_id)
);
