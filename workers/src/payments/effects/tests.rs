//! What the gateways answer.

mod sandbox;
mod stripe;

use millrace_contracts::orders::Placed;
use millrace_contracts::{Contract, OrderId, PaymentId, PaymentMethod};
use uuid::Uuid;

use super::Attempt;

fn attempt(method: &str, number: u32) -> Attempt {
    Attempt {
        payment_id: PaymentId(Uuid::from_u128(1)),
        order_id: OrderId(Uuid::from_u128(2)),
        amount: Placed::example().total,
        method: PaymentMethod::parse(method).unwrap(),
        number,
    }
}
