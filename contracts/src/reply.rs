//! What a worker answers a door that waits for a job: the job's own ledger row, as soon as it is committed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::MessageId;

/// How a job's own command came out. `None` in place of it says: it was handled before, look it up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reply {
    /// The domain that handled it.
    pub handler: String,
    /// Type of the command.
    pub message_type: String,
    /// `succeeded`, `refused` or `dead`.
    pub status: String,
    /// Which attempt this was.
    pub attempts: u32,
    /// What the domain says of what it did.
    pub result: Option<Value>,
    /// Why it did not.
    pub problem: Option<Value>,
    /// What was sent out for it.
    pub emitted: Vec<Sent>,
    /// When the worker got it.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub received_at: OffsetDateTime,
    /// When it was handled.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub handled_at: OffsetDateTime,
}

/// A message that handling another one sent out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// Its id.
    pub id: MessageId,
    /// Its type.
    #[serde(rename = "type")]
    pub message_type: String,
}
