//! Auth promises: a closed account has no password and gets none, whatever overtakes what, and an API key that was
//! revoked never works again; it sees hashes only.

mod rules;
mod store;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use millrace_contracts::{Contract, Envelope, KeyId, auth, users};
use time::OffsetDateTime;

use crate::domain::{self, Decision, No, Unreadable};
use rules::{Change, Facts, Message};

/// The auth domain.
#[derive(Debug)]
pub struct Auth;

impl domain::Domain for Auth {
    const NAME: millrace_contracts::Domain = millrace_contracts::Domain::Auth;
    type Message = Message;
    type Facts = Facts;
    type Call = Infallible;
    type Answer = Infallible;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Message, Unreadable> {
        use domain::read;
        Ok(match envelope.message_type.as_str() {
            auth::SetPassword::TYPE => Message::SetPassword(read(envelope, body)?),
            auth::IssueApiKey::TYPE => {
                let issue: auth::IssueApiKey = read(envelope, body)?;
                let key_id = issue.key_id.unwrap_or(KeyId(envelope.job_id.0));
                Message::IssueApiKey { key_id, issue }
            }
            auth::RevokeApiKey::TYPE => Message::RevokeApiKey(read(envelope, body)?),
            auth::NoteKeyUse::TYPE => Message::NoteKeyUse(read(envelope, body)?),
            users::Registered::TYPE => Message::UserRegistered(read(envelope, body)?),
            users::Deactivated::TYPE => Message::UserDeactivated(read(envelope, body)?),
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
        now: OffsetDateTime,
    ) -> Result<Decision<Change>, No> {
        rules::decide(facts, message, now)
    }
}
