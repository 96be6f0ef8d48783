//! Every kind of poison, by name, and how it must end.

mod bodies;
mod headers;
mod properties;

use uuid::Uuid;

use crate::hostile::amqp::{Field, Message, find};
use crate::hostile::valid;

/// How a message must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The worker dead-letters it, with a reason.
    Dead,
    /// The broker dead-letters it, because it cannot be delivered.
    GivenUpByBroker,
    /// Processed like any other: what is odd about it does not matter.
    Processed,
    /// The broker does not accept it.
    Rejected,
    /// It is dead-lettered without a reason: never right.
    Reasonless,
}

/// One kind of poison.
pub struct Kind {
    pub name: String,
    pub ending: Ending,
    pub id: Uuid,
    pub message: Message,
}

/// All kinds. `header_max` is the number of bytes that a header frame carries.
pub fn all(header_max: usize) -> Vec<Kind> {
    let mut kinds = Vec::new();
    bodies::add(&mut kinds);
    properties::add(&mut kinds);
    headers::add(&mut kinds, header_max);
    kinds
}

/// A valid order, spoilt.
fn add(kinds: &mut Vec<Kind>, name: impl Into<String>, ending: Ending, spoil: impl FnOnce(&mut Message)) {
    let id = Uuid::now_v7();
    let mut message = valid::order(id);
    spoil(&mut message);
    // The id that the ledger will know it by.
    let given = message.message_id.as_deref().and_then(|given| Uuid::try_parse_ascii(given).ok());
    let id = given.unwrap_or(id);
    kinds.push(Kind { name: name.into(), ending, id, message });
}

fn set(message: &mut Message, key: impl AsRef<[u8]>, value: Field) {
    let headers = message.headers.get_or_insert_default();
    headers.retain(|(name, _)| name != key.as_ref());
    headers.push((key.as_ref().to_vec(), value));
}

fn unset(message: &mut Message, key: &str) {
    debug_assert!(message.headers.as_ref().is_some_and(|headers| find(headers, key).is_some()));
    message.headers.get_or_insert_default().retain(|(name, _)| name != key.as_bytes());
}
