-- Who the customers are. A row's version rises by one with each change; saving checks it, so no update is lost.
CREATE SCHEMA users;

CREATE TABLE users.users (
    user_id    uuid        PRIMARY KEY,
    email      text        NOT NULL,
    name       text        NOT NULL,
    status     text        NOT NULL CHECK (status IN ('active', 'deactivated')),
    version    bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Who holds an e-mail address, folded to lower case: the primary key is what makes addresses unique.
CREATE TABLE users.email_claims (
    email      text        PRIMARY KEY,
    user_id    uuid        NOT NULL,
    version    bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
