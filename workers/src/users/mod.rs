//! Users promises: an e-mail address, whatever its case, belongs to one open account at a time, and a closed account
//! stays closed and sets its address free.

mod rules;
mod store;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use millrace_contracts::{Contract, Envelope, UserId, users};
use time::OffsetDateTime;

use crate::domain::{self, Decision, No, Unreadable};
use rules::{Change, Facts, Message};

/// The users domain.
#[derive(Debug)]
pub struct Users;

impl domain::Domain for Users {
    const NAME: millrace_contracts::Domain = millrace_contracts::Domain::Users;
    type Message = Message;
    type Facts = Facts;
    type Call = Infallible;
    type Answer = Infallible;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Message, Unreadable> {
        use domain::read;
        Ok(match envelope.message_type.as_str() {
            users::Register::TYPE => {
                let register: users::Register = read(envelope, body)?;
                let user_id = register.user_id.unwrap_or(UserId(envelope.job_id.0));
                Message::Register { user_id, register }
            }
            users::ChangeEmail::TYPE => Message::ChangeEmail(read(envelope, body)?),
            users::Deactivate::TYPE => Message::Deactivate(read(envelope, body)?),
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
