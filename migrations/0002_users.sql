-- Users and their e-mail addresses. Each change raises a row's version by one, and saving checks it, so that no update is
-- lost.
CREATE SCHEMA users;

CREATE TABLE users.users (
    user_id    uuid        PRIMARY KEY,
    email      text        NOT NULL,
    name       text        NOT NULL,
    status     text        NOT NULL CHECK (status IN ('active', 'deactivated')),
    version    bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The user of each e-mail address in lower case. The primary key makes addresses unique.
CREATE TABLE users.email_claims (
    email      text        PRIMARY KEY,
    user_id    uuid        NOT NULL,
    version    bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
