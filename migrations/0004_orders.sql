-- Orders and their states.
CREATE SCHEMA orders;

-- This domain's copy of users, kept up to date by their events.
CREATE TABLE orders.customers (
    user_id    uuid        PRIMARY KEY,
    status     text        NOT NULL CHECK (status IN ('active', 'deactivated')),
    version    bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE orders.orders (
    order_id    uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    currency    text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total_minor bigint      NOT NULL CHECK (total_minor > 0),
    lines       json        NOT NULL,
    status      text        NOT NULL CHECK (status IN ('placed', 'confirmed', 'cancelled')),
    payment     text        NOT NULL CHECK (payment IN ('pending', 'paid', 'declined', 'refunded')),
    version     bigint      NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now()
);
