//! Every kind of poison, by name, and how it must end.

mod bodies;
mod headers;
mod properties;

use uuid::Uuid;

use crate::hostile::good;
use crate::hostile::raw::{Field, Message, find};

/// How a message must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// A dead letter of the worker, which says why.
    Dead,
    /// A dead letter of the broker, because the message can't even be delivered.
    GivenUpByBroker,
    /// Worked like any other: what is odd about it does not matter.
    Worked,
    /// The broker does not take it.
    NotTaken,
    /// A dead letter that does not say why: never right.
    Reasonless,
}

impl Ends {
    /// Whether this is as it must be, when the process ended this often meanwhile.
    pub fn allows(self, end: Option<Self>, exits: usize) -> bool {
        end == Some(self) && exits == 0
    }
}

/// One kind of poison.
pub struct Kind {
    pub name: String,
    pub ends: Ends,
    pub id: Uuid,
    pub message: Message,
}

/// All of them. `header_max` is how many bytes a header frame carries.
pub fn all(header_max: usize) -> Vec<Kind> {
    let mut kinds = Vec::new();
    bodies::add(&mut kinds);
    properties::add(&mut kinds);
    headers::add(&mut kinds, header_max);
    kinds
}

/// A good order, spoilt.
fn add(kinds: &mut Vec<Kind>, name: impl Into<String>, ends: Ends, spoil: impl FnOnce(&mut Message)) {
    let id = Uuid::now_v7();
    let mut message = good::order(id);
    spoil(&mut message);
    // Whatever the ledger will know it by.
    let given = message.message_id.as_deref().and_then(|given| Uuid::try_parse_ascii(given).ok());
    let id = given.unwrap_or(id);
    kinds.push(Kind { name: name.into(), ends, id, message });
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
