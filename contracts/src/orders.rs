//! Messages of the orders domain: orders, and what becomes of them.

use millrace_protocol::{Contract, DomainName, Kind, Violation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::uuid;

use crate::users::EXAMPLE_USER;
use crate::{Currency, MinorUnits, Money, MoneyOverflow, OrderId, PaymentMethod, Quantity, Sku, UserId};

/// The domain's name.
pub const DOMAIN: DomainName = DomainName::new("orders");

pub(crate) const EXAMPLE_ORDER: OrderId = OrderId(uuid!("01980000-0000-7000-8000-000000000001"));
/// The most lines that an order may have.
const MAX_LINES: usize = 100;

/// Place an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The order's id; without it, the job's id becomes the order's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The customer.
    pub user_id: UserId,
    /// Currency of all prices (ISO 4217).
    pub currency: Currency,
    /// What is ordered: 1 to 100 lines.
    #[schemars(length(min = 1, max = 100))]
    pub lines: Vec<Line>,
    /// How the order will be paid.
    pub payment_method: PaymentMethod,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// The article.
    pub sku: Sku,
    /// How many pieces.
    pub quantity: Quantity,
    /// Price of one piece, in minor units of the order's currency.
    pub unit_price_minor: MinorUnits,
}

impl Place {
    /// The sum of all lines, in minor units of the order's currency.
    ///
    /// # Errors
    ///
    /// If the sum exceeds what [`MinorUnits`] can hold.
    pub fn total(&self) -> Result<Money, MoneyOverflow> {
        let amount_minor = self.lines.iter().try_fold(MinorUnits::default(), |sum, line| {
            sum.plus(line.unit_price_minor.times(line.quantity)?)
        })?;
        Ok(Money { amount_minor, currency: self.currency })
    }
}

impl Contract for Place {
    const TYPE: &'static str = "orders.place";
    const KIND: Kind = Kind::Command;

    fn validate(&self) -> Result<(), Violation> {
        if !(1..=MAX_LINES).contains(&self.lines.len()) {
            return Err(Violation::at("/lines", "expected 1 to 100 lines"));
        }
        match self.total() {
            Ok(total) if total.amount_minor.get() > 0 => Ok(()),
            Ok(_) => Err(Violation::at("/lines", "expected a total above zero")),
            Err(MoneyOverflow) => Err(Violation::at(
                "/lines",
                "the total is too large: expected at most 9007199254740991 minor units",
            )),
        }
    }

    fn example() -> Self {
        Self {
            order_id: Some(EXAMPLE_ORDER),
            user_id: EXAMPLE_USER,
            currency: Currency::parse("EUR").expect("a valid example"),
            lines: vec![Line {
                sku: Sku::parse("TEA-EARL-GREY-250").expect("a valid example"),
                quantity: Quantity::new(2).expect("a valid example"),
                unit_price_minor: MinorUnits::new(1250).expect("a valid example"),
            }],
            payment_method: example_payment_method(),
        }
    }
}

/// Cancel an order. If it was paid, the payment is refunded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// The order to cancel.
    pub order_id: OrderId,
}

impl Contract for Cancel {
    const TYPE: &'static str = "orders.cancel";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { order_id: EXAMPLE_ORDER }
    }
}

/// An order was placed and waits for its payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Placed {
    /// The order's id.
    pub order_id: OrderId,
    /// The customer.
    pub user_id: UserId,
    /// The sum of all lines.
    pub total: Money,
    /// How the order will be paid.
    pub payment_method: PaymentMethod,
}

impl Contract for Placed {
    const TYPE: &'static str = "orders.placed";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self {
            order_id: EXAMPLE_ORDER,
            user_id: EXAMPLE_USER,
            total: example_total(),
            payment_method: example_payment_method(),
        }
    }
}

/// An order was paid and will be fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// The order's id.
    pub order_id: OrderId,
    /// The customer.
    pub user_id: UserId,
}

impl Contract for Confirmed {
    const TYPE: &'static str = "orders.confirmed";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { order_id: EXAMPLE_ORDER, user_id: EXAMPLE_USER }
    }
}

/// An order was cancelled and will not be fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// The order's id.
    pub order_id: OrderId,
    /// The customer.
    pub user_id: UserId,
    /// Why the order was cancelled.
    pub reason: CancelReason,
}

/// Why an order was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CancelReason {
    /// An upstream system cancelled it.
    Requested,
    /// The payment was declined.
    PaymentDeclined,
    /// The payment was refunded.
    PaymentRefunded,
    /// The customer's account was closed before the order was paid.
    CustomerDeactivated,
}

impl Contract for Cancelled {
    const TYPE: &'static str = "orders.cancelled";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { order_id: EXAMPLE_ORDER, user_id: EXAMPLE_USER, reason: CancelReason::PaymentDeclined }
    }
}

pub(crate) fn example_total() -> Money {
    Money {
        amount_minor: MinorUnits::new(2500).expect("a valid example"),
        currency: Currency::parse("EUR").expect("a valid example"),
    }
}

fn example_payment_method() -> PaymentMethod {
    PaymentMethod::parse("pm_ok").expect("a valid example")
}
