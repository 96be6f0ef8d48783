//! From deliveries to a batch: each message is read, and what can't be read is set apart with its reason.

use millrace_broker::Incoming;
use millrace_contracts::{Envelope, MessageId};
use millrace_faults::crash_on;
use time::OffsetDateTime;

use crate::domain::Domain;
use crate::runtime::settle::Fault;
use crate::runtime::suspects::CRASHES_MAX;

/// One message of a batch.
pub struct Member<D: Domain> {
    /// The message as it came.
    pub incoming: Incoming,
    /// When it came.
    pub received_at: OffsetDateTime,
    /// What is to be done with it.
    pub work: Work<D>,
}

/// What is to be done with a message.
pub enum Work<D: Domain> {
    /// To be decided; with the answer of the outside call, once that has been made.
    Decide {
        /// Who the message is.
        envelope: Envelope,
        /// What it says.
        message: D::Message,
        /// What an outside system answered.
        answer: Option<D::Answer>,
    },
    /// Known to have failed before it could be decided.
    Failed {
        /// Who the message is.
        envelope: Envelope,
        /// Why.
        fault: Fault,
    },
    /// Not even an envelope.
    Foreign {
        /// Why not.
        reason: String,
    },
}

impl<D: Domain> Member<D> {
    /// Reads a delivery. The body of one that has killed the process too often is not even looked at.
    pub fn read(incoming: Incoming, received_at: OffsetDateTime, trusted: &Trusted, crashes: u32) -> Self {
        let work = match incoming.envelope.clone() {
            Err(unreadable) => Work::Foreign { reason: unreadable.to_string() },
            Ok(envelope) if crashes >= CRASHES_MAX => {
                Work::Failed { envelope, fault: Fault::Crash { crashes } }
            }
            Ok(envelope) => match read_body::<D>(&incoming, &envelope, trusted) {
                Ok(message) => Work::Decide { envelope, message, answer: None },
                Err(fault) => Work::Failed { envelope, fault },
            },
        };
        Self { incoming, received_at, work }
    }

    /// Who the message is, where it says so.
    pub fn envelope(&self) -> Option<&Envelope> {
        match &self.work {
            Work::Decide { envelope, .. } | Work::Failed { envelope, .. } => Some(envelope),
            Work::Foreign { .. } => None,
        }
    }

    /// Its id, where it has one.
    pub fn id(&self) -> Option<MessageId> {
        self.envelope().map(|envelope| envelope.message_id)
    }

    /// Whether it has killed the process too often.
    pub fn is_given_up(&self) -> bool {
        matches!(self.work, Work::Failed { fault: Fault::Crash { .. }, .. })
    }

    /// Sets the message apart: it is not decided any more.
    pub fn fail(&mut self, fault: Fault) {
        if let Work::Decide { envelope, .. } = &self.work {
            self.work = Work::Failed { envelope: envelope.clone(), fault };
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
