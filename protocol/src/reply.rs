//! What a worker answers an API that waits for a job: the job's own ledger row, as soon as it is committed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::ledger::{Emitted, Status};

/// How a job's own command came out. `null` in its place says that the job was handled before: look it up in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reply {
    /// The domain that handled the command.
    pub handler: String,
    /// The command's type, such as `orders.place`.
    pub message_type: String,
    /// `succeeded`, `refused` or `dead`: an attempt that will be repeated is not answered.
    pub status: Status,
    /// Which attempt decided, counted from 1.
    pub attempts: u32,
    /// What the domain did, if it succeeded.
    pub result: Option<Value>,
    /// Why the domain refused the command or gave it up: `type` and `detail`.
    pub problem: Option<Value>,
    /// The messages that were sent out for it.
    pub emitted: Vec<Emitted>,
    /// When the worker received it (RFC 3339).
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub received_at: OffsetDateTime,
    /// When the worker handled it (RFC 3339).
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub handled_at: OffsetDateTime,
}
