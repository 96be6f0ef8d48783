//! Decodes deliveries into the items of a batch: what can't be decoded is kept apart, with the reason.

use millrace_broker::Incoming;
use millrace_faults::crash_on;
use millrace_protocol::{Envelope, MessageId};
use time::OffsetDateTime;

use crate::domain::{Answer, Domain};
use crate::isolation::CRASHES_MAX;
use crate::settle::Fault;

/// One message of a batch.
pub struct BatchItem<D: Domain> {
    /// The message as it came.
    pub incoming: Incoming,
    /// When it came.
    pub received_at: OffsetDateTime,
    /// How far it has come.
    pub state: ItemState<D>,
}

/// How far a message has come.
pub enum ItemState<D: Domain> {
    /// To be decided; with the answer of the outside call, once that has been made.
    Decide {
        /// The message's metadata.
        envelope: Envelope,
        /// Its parsed body.
        message: D::Message,
        /// What an outside system answered.
        answer: Option<Answer<D>>,
    },
    /// Known to have failed before it could be decided.
    Failed {
        /// The message's metadata.
        envelope: Envelope,
        /// Why.
        fault: Fault,
    },
    /// Without an envelope that can be read.
    Undecodable {
        /// What is missing or wrong.
        reason: String,
    },
}

impl<D: Domain> BatchItem<D> {
    /// Decodes a delivery. The body of a message that has killed the process too often is left alone.
    pub fn decode(incoming: Incoming, received_at: OffsetDateTime, trusted: &Trusted, crashes: u32) -> Self {
        let state = match incoming.envelope.clone() {
            Err(unreadable) => ItemState::Undecodable { reason: unreadable.to_string() },
            Ok(envelope) if crashes >= CRASHES_MAX => {
                ItemState::Failed { envelope, fault: Fault::Crash { crashes } }
            }
            Ok(envelope) => match read_body::<D>(&incoming, &envelope, trusted) {
                Ok(message) => ItemState::Decide { envelope, message, answer: None },
                Err(fault) => ItemState::Failed { envelope, fault },
            },
        };
        Self { incoming, received_at, state }
    }

    /// The message's metadata, if it can be read.
    pub fn envelope(&self) -> Option<&Envelope> {
        match &self.state {
            ItemState::Decide { envelope, .. } | ItemState::Failed { envelope, .. } => Some(envelope),
            ItemState::Undecodable { .. } => None,
        }
    }

    /// Its id, if it has one.
    pub fn id(&self) -> Option<MessageId> {
        self.envelope().map(|envelope| envelope.message_id)
    }

    /// Whether it has killed the process too often.
    pub fn is_given_up(&self) -> bool {
        matches!(self.state, ItemState::Failed { fault: Fault::Crash { .. }, .. })
    }

    /// Takes the message out of those that are decided.
    pub fn fail(&mut self, fault: Fault) {
        if let ItemState::Decide { envelope, .. } = &self.state {
            self.state = ItemState::Failed { envelope: envelope.clone(), fault };
        }
    }
}

fn read_body<D: Domain>(
    incoming: &Incoming,
    envelope: &Envelope,
    trusted: &Trusted,
) -> Result<D::Message, Fault> {
    crash_on(&incoming.body);
    trusted.check(incoming.user_id.as_deref())?;
    D::read(envelope, &incoming.body).map_err(|unreadable| Fault::Unreadable(unreadable.to_string()))
}

/// Which broker users may send this worker messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// Whoever the broker's permissions let publish.
    Anyone,
    /// Only these users, as the broker verifies them (<https://www.rabbitmq.com/docs/validated-user-id>).
    Users(Vec<String>),
}

impl Trusted {
    fn check(&self, user: Option<&str>) -> Result<(), Fault> {
        match (self, user) {
            (Self::Anyone, _) => Ok(()),
            (Self::Users(users), Some(user)) if users.iter().any(|trusted| trusted == user) => Ok(()),
            (Self::Users(_), user) => Err(Fault::Unreadable(format!(
                "the message was published by {}, which is not among the trusted producers",
                user.map_or("an unnamed user".to_owned(), |user| format!("`{user}`"))
            ))),
        }
    }
}
