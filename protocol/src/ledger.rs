//! What a ledger row says of a message: how it stands with its handler, and what was sent out for it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::MessageId;

/// How a message stands with its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Tried without success; it is tried again by itself.
    Retrying,
    /// Done.
    Succeeded,
    /// The domain said no. It is not tried again.
    Refused,
    /// Given up: it lies in a dead-letter queue and waits for a person.
    Dead,
}

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 4] = [Self::Retrying, Self::Succeeded, Self::Refused, Self::Dead];

    /// The text in the ledger's column `status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::Dead => "dead",
        }
    }

    /// The status with this text; `None` for one that only another release knows.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the handler is finished with the message. A copy of a finished message is ignored, and what was emitted
    /// for it was sent out.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Refused)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message that was sent out for a handled one: its id and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Emitted {
    /// The message's id, derived from the handled message and the position.
    pub id: MessageId,
    /// The message's type, such as `orders.placed`.
    #[serde(rename = "type")]
    pub message_type: String,
}

/// A message that was sent out for a handled one, as the ledger's column `emitted` keeps it. Readers that need no body
/// read the column as [`Emitted`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FollowUp {
    /// The message's id, derived from the handled message and the position.
    pub id: MessageId,
    /// The message's type, such as `orders.placed`.
    #[serde(rename = "type")]
    pub message_type: String,
    /// Version of the body's type.
    pub version: u16,
    /// The body, byte for byte: a message that is published again must be the same.
    pub body: Box<RawValue>,
}
