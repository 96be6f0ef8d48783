-- What was charged, declined and paid back. An order has one payment.
CREATE SCHEMA payments;

CREATE TABLE payments.payments (
    order_id          uuid        PRIMARY KEY,
    payment_id        uuid        NOT NULL,
    amount_minor      bigint      NOT NULL CHECK (amount_minor > 0),
    currency          text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    payment_method    text        NOT NULL,
    status            text        NOT NULL CHECK (status IN ('pending', 'void', 'captured', 'declined', 'refunded')),
    -- Set while a captured payment is on its way back.
    refund_due        boolean     NOT NULL DEFAULT false CHECK (status = 'captured' OR NOT refund_due),
    decline_reason    text        CHECK ((status = 'declined') = (decline_reason IS NOT NULL)),
    -- The gateway's own name for the money it took, by which it pays it back.
    gateway_reference text        CHECK ((status IN ('captured', 'refunded')) = (gateway_reference IS NOT NULL)),
    version           bigint      NOT NULL,
    updated_at        timestamptz NOT NULL DEFAULT now()
);
