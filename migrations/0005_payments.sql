-- Payments: charged, declined and refunded. An order has one payment.
CREATE SCHEMA payments;

CREATE TABLE payments.payments (
    order_id          uuid        PRIMARY KEY,
    payment_id        uuid        NOT NULL,
    amount_minor      bigint      NOT NULL CHECK (amount_minor > 0),
    currency          text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    payment_method    text        NOT NULL,
    status            text        NOT NULL CHECK (status IN ('pending', 'void', 'captured', 'declined', 'refunded')),
    -- True from the decision to refund a captured payment until the gateway has refunded it.
    refund_due        boolean     NOT NULL DEFAULT false CHECK (status = 'captured' OR NOT refund_due),
    decline_reason    text        CHECK ((status = 'declined') = (decline_reason IS NOT NULL)),
    -- The gateway's own id of the captured payment, by which it refunds it.
    gateway_reference text        CHECK ((status IN ('captured', 'refunded')) = (gateway_reference IS NOT NULL)),
    version           bigint      NOT NULL,
    updated_at        timestamptz NOT NULL DEFAULT now()
);
