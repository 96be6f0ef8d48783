//! What makes a type a message: its name, version, kind, retry schedule and example; and how its JSON is read.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Deserializer, Track};

use crate::RetrySchedule;
use crate::explain::{explain, pointer_of_ignored};
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

/// One thing wrong with a body, and where: a JSON pointer (RFC 6901) into it and a sentence for its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Violation {
    /// JSON pointer, such as `/lines/0/quantity`; empty for the whole body.
    pub pointer: String,
    /// What was expected there.
    pub message: String,
}

impl Violation {
    /// A violation at the given JSON pointer.
    #[must_use]
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// Why a body is not a message of the type it claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalid {
    /// Not JSON at all (or JSON followed by something else).
    NotJson(Violation),
    /// JSON, but not of this shape.
    Violations(Vec<Violation>),
}

impl Invalid {
    /// Everything that is wrong, in the order in which it was found.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::NotJson(violation) => std::slice::from_ref(violation),
            Self::Violations(violations) => violations,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, violation) in self.violations().iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            match violation.pointer.as_str() {
                "" => write!(f, "{separator}{}", violation.message)?,
                pointer => write!(f, "{separator}{pointer}: {}", violation.message)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

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
