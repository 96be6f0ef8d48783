-- Messages that came back, because a process died, or lost its connection, while it held them. That work on them begins is
-- written here before it does, so that what was really at work when a process dies is known by its row, apart from what
-- was only delivered to it. The transaction that settles the message removes it, unless it gives it up for its crashes.
CREATE TABLE ledger.suspects (
    handler    text        NOT NULL,
    message_id uuid        NOT NULL,
    -- How often work on it has begun since it first came back.
    runs       integer     NOT NULL CHECK (runs > 0),
    marked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (handler, message_id)
);
