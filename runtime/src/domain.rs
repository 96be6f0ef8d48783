//! What a business domain is: pure functions over facts that were loaded for a whole batch.
//!
//! Nothing here can do input or output, look at a clock or draw a random number; what a rule needs, it is given.

use std::convert::Infallible;
use std::fmt;

use millrace_protocol::{ClientId, Contract, DomainName, Envelope, Unreadable};
use time::OffsetDateTime;

use crate::effects::Effects;

/// One business domain, as the runtime sees it.
pub trait Domain: Sized + Send + Sync + 'static {
    /// Its name, which is also the name of its queue, its schema and its handler in the ledger.
    const NAME: DomainName;
    /// Every message that it handles, parsed.
    type Message: Send + Sync;
    /// The rows that its rules look at and change.
    type Facts: Facts;
    /// The outside system that it calls; [`crate::NoEffects`] if it calls none.
    type Effects: Effects;

    /// Reads a message. Ids that the sender left out are settled here, from the envelope.
    ///
    /// # Errors
    ///
    /// Why this release can't read it; the message is then dead-lettered at once.
    fn read(envelope: &Envelope, body: &[u8]) -> Result<Self::Message, Unreadable>;

    /// Declares every key that deciding this message may look at.
    fn declare(message: &Self::Message, facts: &mut Self::Facts);

    /// Whether deciding this message may need an outside call; only for such messages is [`Domain::call`] asked.
    fn may_call(_message: &Self::Message) -> bool {
        false
    }

    /// The outside call that must be made before this message can be decided, if any. Asked again on every attempt.
    fn call(_facts: &Self::Facts, _message: &Self::Message) -> Option<Call<Self>> {
        None
    }

    /// Decides. The same facts, message and context give the same decision.
    ///
    /// # Errors
    ///
    /// The business refuses, or the message overtook its cause.
    fn decide(
        facts: &Self::Facts,
        message: &Self::Message,
        context: &Context<'_, Answer<Self>>,
    ) -> Result<Decision<Change<Self>>, Rejection>;
}

/// A change to one row of a domain's facts.
pub type Change<D> = <<D as Domain>::Facts as Facts>::Change;
/// A call to a domain's outside system.
pub type Call<D> = <<D as Domain>::Effects as Effects>::Call;
/// What a domain's outside system answered.
pub type Answer<D> = <<D as Domain>::Effects as Effects>::Answer;

/// What a decision depends on besides facts and message.
#[derive(Debug)]
pub struct Context<'a, A = Infallible> {
    /// The client whose job the message belongs to.
    pub caller: &'a ClientId,
    /// When the message is decided, in UTC and to the microsecond. The same for all messages of a batch.
    pub now: OffsetDateTime,
    /// What the outside system answered, if [`Domain::call`] asked for a call.
    pub answer: Option<&'a A>,
}

/// The rows of one batch.
pub trait Facts: Default + Send + Sync {
    /// A change to one row.
    type Change: Send;
    /// Takes a decided change over, so that later messages of the batch see it.
    fn apply(&mut self, change: Self::Change);
}

/// The domain does it: what changes, what the job's owner is told, what other domains are told.
#[derive(Debug)]
pub struct Decision<C> {
    /// Changes to the facts, in order.
    pub changes: Vec<C>,
    /// The job's result, as the API shows it.
    pub result: serde_json::Value,
    /// Messages to publish once the changes are committed, in order.
    pub outgoing: Vec<Draft>,
}

impl<C> Decision<C> {
    /// A decision with this result that changes nothing yet.
    #[must_use]
    pub fn new(result: serde_json::Value) -> Self {
        Self { changes: Vec::new(), result, outgoing: Vec::new() }
    }

    /// Adds a change.
    #[must_use]
    pub fn change(mut self, change: C) -> Self {
        self.changes.push(change);
        self
    }

    /// Adds a message to publish.
    #[must_use]
    pub fn publish<T: Contract>(mut self, message: &T) -> Self {
        self.outgoing.push(Draft::of(message));
        self
    }
}

/// A message to publish that has no id yet: ids follow from the handled message and the position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Name on the wire.
    pub message_type: &'static str,
    /// Version of the body.
    pub version: u16,
    /// The body's JSON.
    pub body: String,
}

impl Draft {
    fn of<T: Contract>(message: &T) -> Self {
        let body = serde_json::to_string(message).expect("messages are plain data");
        Self { message_type: T::TYPE, version: T::VERSION, body }
    }
}

/// The domain doesn't do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Never: the business refuses.
    Refusal(Refusal),
    /// Not yet: the message overtook its cause.
    Postpone(Postpone),
}

/// The business refuses, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name of the problem, such as `customer-deactivated`.
    pub problem: &'static str,
    /// A sentence for the person who posted the job.
    pub sentence: String,
}

impl Refusal {
    /// A refusal with a stable name and a sentence.
    #[must_use]
    pub fn new(problem: &'static str, sentence: impl Into<String>) -> Self {
        Self { problem, sentence: sentence.into() }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// The message overtook its cause and is to be tried again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postpone {
    /// What is missing, as a sentence.
    pub waiting_for: String,
    /// What to answer when it has not come by the last attempt; without it the message is dead-lettered.
    pub finally: Option<Refusal>,
}

impl Postpone {
    /// Waits for something that must come, since one of this system's own parts has announced it.
    #[must_use]
    pub fn until(waiting_for: impl Into<String>) -> Self {
        Self { waiting_for: waiting_for.into(), finally: None }
    }

    /// Waits for something that may come, and refuses when it doesn't.
    #[must_use]
    pub fn then_refuse(waiting_for: impl Into<String>, refusal: Refusal) -> Self {
        Self { waiting_for: waiting_for.into(), finally: Some(refusal) }
    }
}

impl From<Postpone> for Rejection {
    fn from(postpone: Postpone) -> Self {
        Self::Postpone(postpone)
    }
}

/// One line, as the matrix snapshots print it.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refusal(refusal) => write!(f, "refuse {}", refusal.problem),
            Self::Postpone(Postpone { finally: Some(refusal), .. }) => {
                write!(f, "postpone, finally refuse {}", refusal.problem)
            }
            Self::Postpone(_) => f.write_str("postpone"),
        }
    }
}
