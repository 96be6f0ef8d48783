-- Messages that came back because a process died, or lost its connection, while it held them. Each is worked alone, and
-- how often that was begun is written here first, so that one which kills the process is known by its row. The
-- transaction that brings the message to an end, or its next attempt on the way, removes the row.
CREATE TABLE ledger.suspects (
    handler    text        NOT NULL,
    message_id uuid        NOT NULL,
    -- How often work on it alone has begun.
    runs       integer     NOT NULL CHECK (runs > 0),
    marked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (handler, message_id)
);
