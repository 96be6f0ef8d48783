-- The ledger has one row per message and handler, written in the transaction that processes the message. A row prevents a
-- second effect of the same message, answers for the job's status, and holds the follow-ups to publish.
CREATE SCHEMA ledger;

-- Partitioned by message id: ids are UUIDv7, so a range of ids is a range of time, and old rows go by DROP TABLE.
CREATE TABLE ledger.entries (
    handler      text        NOT NULL,
    message_id   uuid        NOT NULL,
    job_id       uuid        NOT NULL,
    causation_id uuid        NOT NULL,
    client_id    text        NOT NULL,
    type         text        NOT NULL,
    status       text        NOT NULL CHECK (status IN ('retrying', 'succeeded', 'refused', 'dead')),
    attempts     integer     NOT NULL CHECK (attempts > 0),
    fingerprint  text        NOT NULL,
    result       json,
    problem      json,
    -- json, not jsonb: a message that is published again must have the same bytes.
    emitted      json,
    received_at  timestamptz NOT NULL,
    handled_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (handler, message_id)
) PARTITION BY RANGE (message_id);

-- The lowest UUIDv7 of a point in time.
CREATE FUNCTION ledger.floor_of(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

-- Ids that follow from a client's idempotency key contain no time; they begin with ff.
CREATE TABLE ledger.entries_keyed PARTITION OF ledger.entries
    FOR VALUES FROM ('ff000000-0000-0000-0000-000000000000') TO (MAXVALUE);

-- For foreign ids and for weeks without a partition, so that no message fails for lack of one.
CREATE TABLE ledger.entries_other PARTITION OF ledger.entries DEFAULT;

-- Creates the missing partitions for this week and the following `weeks_ahead` ones.
CREATE FUNCTION ledger.prepare_partitions(weeks_ahead integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    -- Weeks begin on Monday, 00:00 UTC, whatever the session's time zone is.
    this_week timestamptz := date_trunc('week', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    week      timestamptz;
    name      text;
    lowest    uuid;
    next      uuid;
    created   integer := 0;
BEGIN
    FOR i IN 0..weeks_ahead LOOP
        week := this_week + make_interval(days => 7 * i);
        name := 'entries_' || to_char(week AT TIME ZONE 'UTC', 'YYYYMMDD');
        lowest := ledger.floor_of(week);
        next := ledger.floor_of(week + make_interval(days => 7));
        CONTINUE WHEN to_regclass('ledger.' || name) IS NOT NULL;
        EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.entries INCLUDING ALL)', name);
        -- Rows of this week may be in the default partition already. They must be moved before the new one is attached.
        LOCK TABLE ledger.entries_other IN SHARE ROW EXCLUSIVE MODE;
        EXECUTE format(
            'WITH moved AS (
                DELETE FROM ledger.entries_other WHERE message_id >= %L AND message_id < %L RETURNING *
            )
            INSERT INTO ledger.%I SELECT * FROM moved', lowest, next, name);
        -- Unlike CREATE TABLE … PARTITION OF, this lets others read and write the other partitions meanwhile.
        EXECUTE format('ALTER TABLE ledger.entries ATTACH PARTITION ledger.%I FOR VALUES FROM (%L) TO (%L)', name,
            lowest, next);
        created := created + 1;
    END LOOP;
    RETURN created;
END $$;

SELECT ledger.prepare_partitions(8);
