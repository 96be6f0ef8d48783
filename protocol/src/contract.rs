//! What makes a type a message: its name, version, kind, retry schedule and example; and how its JSON is read.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Deserializer, Track};

use crate::RetrySchedule;
use crate::explain::{explain, pointer_of_ignored};
use crate::invalid::{Invalid, Violation};
use crate::objects::Objects;

/// A command asks for something and may be refused; an event says what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Imperative, one handler; upstream systems may post it.
    Command,
    /// Imperative, one handler; upstream systems can't post it: a domain sends it to itself, or the API sends it.
    InternalCommand,
    /// Past participle, any number of handlers.
    Event,
}

/// A type that travels as the body of a message.
pub trait Contract: Serialize + DeserializeOwned + JsonSchema + Sized {
    /// The message's type on the wire and its routing key, such as `orders.place`.
    const TYPE: &'static str;
    /// Raised only when a change can't be read by the handlers of the version before.
    const VERSION: u16 = 1;
    /// Command or event.
    const KIND: Kind;
    /// When a handler tries again, and how often.
    const RETRY: RetrySchedule = RetrySchedule::QUICK;

    /// What the fields' own types can't say, such as sums over several fields.
    fn validate(&self) -> Result<(), Violation> {
        Ok(())
    }

    /// One message as it may stand in documents; its JSON is snapshotted.
    fn example() -> Self;
}

/// What to do with fields that the type doesn't know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFields {
    /// A consumer ignores them: a newer producer may already send them.
    Ignore,
    /// The API refuses them: a misspelt optional field must not vanish silently.
    Refuse,
}

/// At most this many unknown fields are reported: a body made of nothing else must not make an answer as long as itself.
const MAX_UNKNOWN_FIELDS: usize = 20;

/// Reads a body as `T`.
///
/// # Errors
///
/// What is wrong with the body, with a JSON pointer for each place.
pub fn decode<T: Contract>(body: &[u8], unknown_fields: UnknownFields) -> Result<T, Invalid> {
    let mut unknown = Vec::new();
    let mut json = serde_json::Deserializer::from_slice(body);
    let mut track = Track::new();
    let read = serde_ignored::deserialize(Deserializer::new(Objects(&mut json), &mut track), |path| {
        if unknown.len() < MAX_UNKNOWN_FIELDS {
            unknown.push(Violation::at(pointer_of_ignored(&path), "this field is not known here"));
        }
    });
    let value: T = match read.and_then(|value| json.end().map(|()| value)) {
        Ok(value) => value,
        Err(error) => return Err(explain(body, &error, &track.path())),
    };
    if unknown_fields == UnknownFields::Refuse && !unknown.is_empty() {
        return Err(Invalid::Violations(unknown));
    }
    value.validate().map_err(|violation| Invalid::Violations(vec![violation]))?;
    Ok(value)
}
