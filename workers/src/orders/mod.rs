//! Orders promises: an order of a known customer is confirmed once its payment is captured, and cancelled for good when
//! the payment is declined or somebody calls it off; it knows customers and payments only by what it hears.

mod rules;
mod store;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use millrace_contracts::{Contract, Envelope, OrderId, orders, payments, users};
use time::OffsetDateTime;

use crate::domain::{self, Decision, No, Unreadable};
use rules::{Change, Facts, Message};

/// The orders domain.
#[derive(Debug)]
pub struct Orders;

impl domain::Domain for Orders {
    const NAME: millrace_contracts::Domain = millrace_contracts::Domain::Orders;
    type Message = Message;
    type Facts = Facts;
    type Call = Infallible;
    type Answer = Infallible;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Message, Unreadable> {
        use domain::read;
        Ok(match envelope.message_type.as_str() {
            orders::Place::TYPE => {
                let place: orders::Place = read(envelope, body)?;
                let order_id = place.order_id.unwrap_or(OrderId(envelope.job_id.0));
                Message::Place { order_id, place }
            }
            orders::Cancel::TYPE => Message::Cancel(read(envelope, body)?),
            users::Registered::TYPE => Message::UserRegistered(read(envelope, body)?),
            users::Deactivated::TYPE => Message::UserDeactivated(read(envelope, body)?),
            payments::Captured::TYPE => Message::PaymentCaptured(read(envelope, body)?),
            payments::Declined::TYPE => Message::PaymentDeclined(read(envelope, body)?),
            payments::Refunded::TYPE => Message::PaymentRefunded(read(envelope, body)?),
            other => return Err(Unreadable::UnknownType(other.to_owned())),
        })
    }

    fn declare(message: &Message, facts: &mut Facts) {
        rules::declare(message, facts);
    }

    fn may_call(_: &Message) -> bool {
        false
    }

    fn call(_: &Facts, _: &Message) -> Option<Infallible> {
        None
    }

    fn decide(
        facts: &Facts,
        message: &Message,
        _: Option<&Infallible>,
        _: OffsetDateTime,
    ) -> Result<Decision<Change>, No> {
        rules::decide(facts, message)
    }
}
