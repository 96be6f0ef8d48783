-- What really happened, change by change: every row that the pipeline writes leaves a line here, in the same transaction.
-- Nothing here is unique but the line's own number, so what happens twice is there twice, also where the pipeline's own
-- tables would hide it.
CREATE SCHEMA IF NOT EXISTS checker;

-- What was written into the ledger.
CREATE TABLE IF NOT EXISTS checker.notes (
    seq          bigint      GENERATED ALWAYS AS IDENTITY,
    operation    text        NOT NULL,
    handler      text        NOT NULL,
    message_id   uuid        NOT NULL,
    job_id       uuid        NOT NULL,
    type         text        NOT NULL,
    status       text        NOT NULL,
    attempts     integer     NOT NULL,
    -- Why not, as the API would show it.
    problem      text,
    emitted_md5  text,
    txid         bigint      NOT NULL,
    noted_at     timestamptz NOT NULL
);

-- What was changed in the tables of the domains.
CREATE TABLE IF NOT EXISTS checker.effects (
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    operation   text        NOT NULL,
    -- Schema and table, as they were called when the journal was installed.
    place       text        NOT NULL,
    key         text        NOT NULL,
    old_version bigint,
    new_version bigint,
    -- The columns `status` and `payment`, one after the other, where there are any.
    old_state   text,
    new_state   text,
    txid        bigint      NOT NULL,
    noted_at    timestamptz NOT NULL
);

-- Not unique: for those who read along while it is being written.
CREATE INDEX IF NOT EXISTS notes_by_txid ON checker.notes (txid);
CREATE INDEX IF NOT EXISTS effects_by_txid ON checker.effects (txid);

-- Runs with the rights of whoever installed it: the workers need none here.
CREATE OR REPLACE FUNCTION checker.note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    entry ledger.entries%ROWTYPE;
BEGIN
    IF TG_OP = 'DELETE' THEN entry := OLD; ELSE entry := NEW; END IF;
    INSERT INTO checker.notes
        (operation, handler, message_id, job_id, type, status, attempts, problem, emitted_md5, txid, noted_at)
    VALUES
        (TG_OP, entry.handler, entry.message_id, entry.job_id, entry.type, entry.status, entry.attempts,
         entry.problem::text, md5(entry.emitted::text), pg_current_xact_id()::text::bigint, clock_timestamp());
    RETURN NULL;
END $$;

-- Its arguments are the place and the name of the key's column.
CREATE OR REPLACE FUNCTION checker.note_effect() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    before jsonb;
    after  jsonb;
    either jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN before := to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN after := to_jsonb(NEW); END IF;
    either := coalesce(after, before);
    INSERT INTO checker.effects
        (operation, place, key, old_version, new_version, old_state, new_state, txid, noted_at)
    VALUES
        (TG_OP, TG_ARGV[0], either ->> TG_ARGV[1], (before ->> 'version')::bigint, (after ->> 'version')::bigint,
         nullif(concat_ws(' ', before ->> 'status', before ->> 'payment'), ''),
         nullif(concat_ws(' ', after ->> 'status', after ->> 'payment'), ''),
         pg_current_xact_id()::text::bigint, clock_timestamp());
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER checker_note AFTER INSERT OR UPDATE OR DELETE ON ledger.entries
    FOR EACH ROW EXECUTE FUNCTION checker.note();

DO $$
DECLARE
    watched record;
BEGIN
    -- Every table of a domain, whatever domains there are.
    FOR watched IN
        SELECT table_schema::text AS schema, table_name::text AS name, column_name::text AS key
        FROM information_schema.table_constraints
        JOIN information_schema.key_column_usage USING (table_schema, table_name, constraint_schema, constraint_name)
        WHERE constraint_type = 'PRIMARY KEY' AND ordinal_position = 1
          AND table_schema NOT IN ('ledger', 'checker', 'public', 'pg_catalog', 'information_schema')
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER checker_note AFTER INSERT OR UPDATE OR DELETE ON %I.%I
             FOR EACH ROW EXECUTE FUNCTION checker.note_effect(%L, %L)',
            watched.schema, watched.name, watched.schema || '.' || watched.name, watched.key);
    END LOOP;
END $$;
