//! Rows as Postgres returns them, turned into the rows of a flow.

use millrace_protocol::MessageId;
use millrace_protocol::ledger::{Emitted, Status};
use serde_json::Value;
use sqlx::types::{Json, Uuid};
use time::OffsetDateTime;

use crate::database::ReadError;
use crate::flow::Row;

pub(super) struct Record {
    pub handler: String,
    pub message_id: Uuid,
    pub causation_id: Uuid,
    pub r#type: String,
    pub status: String,
    pub attempts: i32,
    pub result: Option<Json<Value>>,
    pub problem: Option<Json<Value>>,
    pub emitted: Option<Json<Vec<Emitted>>>,
    pub received_at: OffsetDateTime,
    pub handled_at: OffsetDateTime,
}

impl TryFrom<Record> for Row {
    type Error = ReadError;

    fn try_from(record: Record) -> Result<Self, ReadError> {
        Ok(Self {
            handler: record.handler,
            message_id: MessageId(record.message_id),
            causation_id: MessageId(record.causation_id),
            message_type: record.r#type,
            status: Status::named(&record.status).ok_or(ReadError::UnknownStatus)?,
            attempts: u32::try_from(record.attempts).unwrap_or(0),
            result: record.result.map(|json| json.0),
            problem: record.problem.map(|json| json.0),
            emitted: record.emitted.map(|json| json.0).unwrap_or_default(),
            received_at: record.received_at,
            handled_at: record.handled_at,
        })
    }
}
