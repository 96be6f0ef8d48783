//! Messages of the orders domain: what was ordered, and what became of it.

use millrace_protocol::{Contract, DomainName, Kind, Violation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::uuid;

use crate::users::EXAMPLE_USER;
use crate::{Currency, MinorUnits, Money, MoneyOverflow, OrderId, PaymentMethod, Quantity, Sku, UserId};

/// The domain's name.
pub const DOMAIN: DomainName = DomainName::new("orders");

pub(crate) const EXAMPLE_ORDER: OrderId = OrderId(uuid!("01980000-0000-7000-8000-000000000001"));
/// An order may have this many lines.
pub const MAX_LINES: usize = 100;

/// Asks for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Left out, the job's id becomes the order's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Who orders.
    pub user_id: UserId,
    /// ISO 4217, for every line.
    pub currency: Currency,
    /// What is ordered: 1 to 100 lines.
    #[schemars(length(min = 1, max = 100))]
    pub lines: Vec<Line>,
    /// How it will be paid.
    pub payment_method: PaymentMethod,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
    /// The price of one, in minor units of the order's currency.
    pub unit_price_minor: MinorUnits,
}

impl Place {
    /// The sum over all lines.
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

/// Asks to call an order off; what was paid is paid back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// The order.
    pub order_id: OrderId,
}

impl Contract for Cancel {
    const TYPE: &'static str = "orders.cancel";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { order_id: EXAMPLE_ORDER }
    }
}

/// An order stands and waits for its payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Placed {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// What it costs.
    pub total: Money,
    /// How it will be paid.
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

/// An order is paid and will be fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
}

impl Contract for Confirmed {
    const TYPE: &'static str = "orders.confirmed";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { order_id: EXAMPLE_ORDER, user_id: EXAMPLE_USER }
    }
}

/// An order will not be fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// Why.
    pub reason: CancelReason,
}

/// Why an order will not be fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CancelReason {
    /// Somebody asked for it.
    Requested,
    /// The payment was declined.
    PaymentDeclined,
    /// The payment was paid back.
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
