-- Accounts with their password hashes, and API keys.
CREATE SCHEMA auth;

CREATE TABLE auth.accounts (
    user_id       uuid        PRIMARY KEY,
    status        text        NOT NULL CHECK (status IN ('active', 'revoked')),
    password_hash text,
    version       bigint      NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE auth.api_keys (
    key_id     uuid        PRIMARY KEY,
    client_id  text        NOT NULL,
    name       text        NOT NULL,
    scopes     text[]      NOT NULL,
    key_prefix text        NOT NULL,
    -- SHA-256 of the key. The API looks keys up by it.
    key_hash   text        NOT NULL UNIQUE,
    expires_at timestamptz,
    status     text        NOT NULL CHECK (status IN ('active', 'revoked')),
    version    bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
