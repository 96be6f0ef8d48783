//! Messages of the payments domain: charges and refunds.

use millrace_protocol::{Contract, DomainName, Kind, RetrySchedule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::uuid;

use crate::orders::{EXAMPLE_ORDER, example_total};
use crate::{DeclineReason, Money, OrderId, PaymentId};

/// The domain's name.
pub const DOMAIN: DomainName = DomainName::new("payments");

const EXAMPLE_PAYMENT: PaymentId = PaymentId(uuid!("01980000-0000-7000-8000-0000000000b2"));

/// Charge an order's payment. The payments domain sends it to itself once it has recorded the payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Charge {
    /// The order whose payment is due.
    pub order_id: OrderId,
    /// The payment; also the gateway's idempotency key.
    pub payment_id: PaymentId,
}

impl Contract for Charge {
    const TYPE: &'static str = "payments.charge";
    const KIND: Kind = Kind::InternalCommand;
    const RETRY: RetrySchedule = RetrySchedule::PATIENT;
    fn example() -> Self {
        Self { order_id: EXAMPLE_ORDER, payment_id: EXAMPLE_PAYMENT }
    }
}

/// Refund an order's payment in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refund {
    /// The order whose payment is refunded.
    pub order_id: OrderId,
}

impl Contract for Refund {
    const TYPE: &'static str = "payments.refund";
    const KIND: Kind = Kind::Command;
    const RETRY: RetrySchedule = RetrySchedule::PATIENT;
    fn example() -> Self {
        Self { order_id: EXAMPLE_ORDER }
    }
}

/// A payment was captured: the gateway has taken the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Captured {
    /// The payment's id.
    pub payment_id: PaymentId,
    /// The order that it pays.
    pub order_id: OrderId,
    /// The amount, in full.
    pub amount: Money,
}

impl Contract for Captured {
    const TYPE: &'static str = "payments.captured";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { payment_id: EXAMPLE_PAYMENT, order_id: EXAMPLE_ORDER, amount: example_total() }
    }
}

/// A payment was declined: the gateway refused to take the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Declined {
    /// The payment's id.
    pub payment_id: PaymentId,
    /// The order that it would have paid.
    pub order_id: OrderId,
    /// The gateway's reason, such as `card_declined`.
    pub reason: DeclineReason,
}

impl Contract for Declined {
    const TYPE: &'static str = "payments.declined";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self {
            payment_id: EXAMPLE_PAYMENT,
            order_id: EXAMPLE_ORDER,
            reason: DeclineReason::parse("card_declined").expect("a valid example"),
        }
    }
}

/// A payment was refunded: the gateway has paid the money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refunded {
    /// The payment's id.
    pub payment_id: PaymentId,
    /// The order that it had paid.
    pub order_id: OrderId,
    /// The amount, in full.
    pub amount: Money,
}

impl Contract for Refunded {
    const TYPE: &'static str = "payments.refunded";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { payment_id: EXAMPLE_PAYMENT, order_id: EXAMPLE_ORDER, amount: example_total() }
    }
}
