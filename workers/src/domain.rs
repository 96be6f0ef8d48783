//! What a business domain is: pure functions over facts that were loaded for a whole batch.
//!
//! Nothing here can do input or output, look at a clock or draw a random number; what a rule needs, it is given.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

pub use millrace_contracts::Unreadable;
use millrace_contracts::{Contract, Envelope};
use time::OffsetDateTime;

/// One business domain, as the runtime sees it.
pub trait Domain: Send + Sync + 'static {
    /// Its name, which is also the name of its queue, its schema and its handler in the ledger.
    const NAME: millrace_contracts::Domain;
    /// Everything it hears, parsed.
    type Message: Send + Sync;
    /// The rows its rules look at and change.
    type Facts: Facts;
    /// A call to an outside system; [`std::convert::Infallible`] where the domain makes none.
    type Call: Send + Sync;
    /// What the outside system answered.
    type Answer: Send + Sync;

    /// Reads a message. Ids that the sender left out are settled here, from the envelope.
    fn read(envelope: &Envelope, body: &[u8]) -> Result<Self::Message, Unreadable>;

    /// Declares every key that deciding this message may look at.
    fn declare(message: &Self::Message, facts: &mut Self::Facts);

    /// Whether deciding this message may need an outside call; only for such messages is [`Domain::call`] asked.
    fn may_call(message: &Self::Message) -> bool;

    /// The outside call that must be made before this message can be decided, if any. Asked again on every attempt.
    fn call(facts: &Self::Facts, message: &Self::Message) -> Option<Self::Call>;

    /// Decides. The same facts, message, answer and time give the same decision.
    fn decide(
        facts: &Self::Facts,
        message: &Self::Message,
        answer: Option<&Self::Answer>,
        now: OffsetDateTime,
    ) -> Result<Decision<Change<Self>>, No>;
}

/// A change to one row of a domain's facts.
pub type Change<D> = <<D as Domain>::Facts as Facts>::Change;

/// The rows of one batch.
pub trait Facts: Default + Send + Sync {
    /// A change to one row.
    type Change: Send;
    /// Takes a decided change over, so that later messages of the batch see it.
    fn apply(&mut self, change: Self::Change);
}

/// The domain does it: what changes, what the job's owner is told, what others hear.
#[derive(Debug)]
pub struct Decision<C> {
    /// Changes to the facts, in order.
    pub changes: Vec<C>,
    /// The job's result, shown at the door.
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
pub enum No {
    /// Never: the business says no.
    Refusal(Refusal),
    /// Not yet: the message overtook its cause.
    Postpone(Postpone),
}

/// The business says no, and why.
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

impl From<Refusal> for No {
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
    /// Waits for something that must come, since one of our own parts has announced it.
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

impl From<Postpone> for No {
    fn from(postpone: Postpone) -> Self {
        Self::Postpone(postpone)
    }
}

/// Reads a body as `T`, the type that the envelope names.
pub fn read<T: Contract>(envelope: &Envelope, body: &[u8]) -> Result<T, Unreadable> {
    millrace_contracts::read(envelope.version, body)
}

/// The rows of one table that a batch may look at, by key, with the version each was loaded at.
///
/// A key that was declared and not found does not exist; asking for a key that was not declared is a bug and panics.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows<K, V> {
    slots: BTreeMap<K, Slot<V>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Slot<V> {
    value: Option<V>,
    version: i64,
    changed: bool,
}

/// A row to save.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed<'a, K, V> {
    /// The row's key.
    pub key: &'a K,
    /// Its new value; `None` to delete it.
    pub value: Option<&'a V>,
    /// The version to write: one above the version that must still be there, 1 for a row that must not exist yet.
    pub version: i64,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self { slots: BTreeMap::new() }
    }
}

impl<K: Ord + Clone + Debug, V> Rows<K, V> {
    /// Declares that deciding may look at this key.
    pub fn declare(&mut self, key: K) {
        self.slots.entry(key).or_insert(Slot { value: None, version: 0, changed: false });
    }

    /// The declared keys in order, which is the order in which rows are locked.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.slots.keys()
    }

    /// Takes over a row that was found in the database.
    pub fn fill(&mut self, key: K, value: V, version: i64) {
        self.slots.insert(key, Slot { value: Some(value), version, changed: false });
    }

    /// The row, or `None` where it doesn't exist.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        match self.slots.get(key) {
            Some(slot) => slot.value.as_ref(),
            None => panic!("the rule looked at {key:?}, which it had not declared"),
        }
    }

    /// Writes the row.
    pub fn put(&mut self, key: &K, value: V) {
        self.set(key, Some(value));
    }

    /// Deletes the row.
    pub fn remove(&mut self, key: &K) {
        self.set(key, None);
    }

    fn set(&mut self, key: &K, value: Option<V>) {
        match self.slots.get_mut(key) {
            Some(slot) => {
                slot.value = value;
                slot.changed = true;
            }
            None => panic!("the rule changed {key:?}, which it had not declared"),
        }
    }

    /// The rows that were changed, in key order. A row that came and went within the batch is not among them.
    pub fn changed(&self) -> impl Iterator<Item = Changed<'_, K, V>> {
        self.slots
            .iter()
            .filter(|(_, slot)| slot.changed && (slot.value.is_some() || slot.version != 0))
            .map(|(key, slot)| Changed { key, value: slot.value.as_ref(), version: slot.version + 1 })
    }
}

/// Shows a verdict in one line, as the matrix snapshots print it.
impl Display for No {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refusal(refusal) => write!(f, "refuse {}", refusal.problem),
            Self::Postpone(Postpone { finally: Some(refusal), .. }) => {
                write!(f, "postpone, finally refuse {}", refusal.problem)
            }
            Self::Postpone(_) => f.write_str("postpone"),
        }
    }
}
