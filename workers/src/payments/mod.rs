//! Payments promises: an order's money is taken at most once, and goes back in full when the order is called off or
//! a refund is asked for, whatever overtakes what and whichever answer of the gateway gets lost.

pub mod effects;
mod rules;
mod store;
#[cfg(test)]
mod tests;

use millrace_contracts::{Contract, Envelope, PaymentId, orders, payments};
use time::OffsetDateTime;

use crate::domain::{self, Decision, No, Unreadable};
pub use rules::{Answer, Attempt, Call, Reference};
use rules::{AskedBy, Change, Facts, Message};

/// The payments domain.
#[derive(Debug)]
pub struct Payments;

impl domain::Domain for Payments {
    const NAME: millrace_contracts::Domain = millrace_contracts::Domain::Payments;
    type Message = Message;
    type Facts = Facts;
    type Call = Call;
    type Answer = Answer;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Message, Unreadable> {
        use domain::read;
        let attempt = envelope.attempt;
        Ok(match envelope.message_type.as_str() {
            orders::Placed::TYPE => {
                let payment_id = PaymentId(envelope.message_id.0);
                Message::OrderPlaced { payment_id, placed: read(envelope, body)? }
            }
            orders::Cancelled::TYPE => Message::OrderCancelled(read(envelope, body)?),
            payments::Charge::TYPE => {
                let payments::Charge { order_id, .. } = read(envelope, body)?;
                Message::Charge { order_id, attempt }
            }
            payments::Refund::TYPE => {
                let payments::Refund { order_id } = read(envelope, body)?;
                // A job's first message is its own cause.
                let posted = envelope.causation_id == envelope.message_id;
                let asked_by = if posted { AskedBy::Client } else { AskedBy::Ourselves };
                Message::Refund { order_id, asked_by, attempt }
            }
            other => return Err(Unreadable::UnknownType(other.to_owned())),
        })
    }

    fn declare(message: &Message, facts: &mut Facts) {
        rules::declare(message, facts);
    }

    fn may_call(message: &Message) -> bool {
        matches!(message, Message::Charge { .. } | Message::Refund { .. })
    }

    fn call(facts: &Facts, message: &Message) -> Option<Call> {
        rules::call(facts, message)
    }

    fn decide(
        facts: &Facts,
        message: &Message,
        answer: Option<&Answer>,
        _: OffsetDateTime,
    ) -> Result<Decision<Change>, No> {
        rules::decide(facts, message, answer)
    }
}
