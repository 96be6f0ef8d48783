//! A page of a client's jobs: what is looked for, and what was found.

use millrace_protocol::JobId;
use millrace_protocol::ledger::Status;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::types::Uuid;
use time::OffsetDateTime;

use crate::database::ReadError;

/// Which jobs a page is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub status: Option<Status>,
    pub command: Option<String>,
    /// Received by a worker at this time or later.
    pub since: Option<OffsetDateTime>,
    /// How many jobs the page has at most.
    pub limit: i64,
    /// The page begins after this job.
    pub after: Option<Position>,
}

/// A job's place in the list of its client's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub received_at: OffsetDateTime,
    pub job: JobId,
}

/// Some of a client's jobs, and where the next page begins.
#[derive(Debug)]
pub(crate) struct Page {
    pub jobs: Vec<Listed>,
    pub next: Option<Position>,
}

/// One of the client's jobs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listed {
    pub job_id: JobId,
    pub command: String,
    pub status: Status,
    /// How many times a worker has tried the job.
    pub attempts: u32,
    /// When a worker received the job first.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub received_at: OffsetDateTime,
    /// When the job was decided; `null` while it is retried.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub handled_at: Option<OffsetDateTime>,
}

/// A job of a page, or (`is_end`) the last one that was examined for it.
pub(super) struct ListedRecord {
    pub is_end: bool,
    pub examined: i64,
    pub job_id: Uuid,
    pub r#type: String,
    pub status: String,
    pub attempts: i32,
    pub received_at: OffsetDateTime,
    pub handled_at: OffsetDateTime,
}

impl Page {
    /// The page made of these records. It has no next page if fewer than `examined_max` jobs were examined and it is not
    /// full.
    pub(super) fn of(records: Vec<ListedRecord>, limit: i64, examined_max: i64) -> Result<Self, ReadError> {
        let end = records.iter().find(|record| record.is_end);
        let examined_all = end.is_none_or(|end| end.examined < examined_max);
        let end = end.map(|end| Position { received_at: end.received_at, job: JobId(end.job_id) });
        let jobs: Vec<Listed> = records
            .into_iter()
            .filter(|record| !record.is_end)
            .map(Listed::try_from)
            .collect::<Result<_, _>>()?;
        let full = i64::try_from(jobs.len()).is_ok_and(|jobs| jobs >= limit);
        let next = match jobs.last() {
            Some(last) if full => Some(Position { received_at: last.received_at, job: last.job_id }),
            _ if examined_all => None,
            _ => end,
        };
        Ok(Self { jobs, next })
    }
}

impl TryFrom<ListedRecord> for Listed {
    type Error = ReadError;

    fn try_from(record: ListedRecord) -> Result<Self, ReadError> {
        let status = Status::named(&record.status).ok_or(ReadError::UnknownStatus)?;
        Ok(Self {
            job_id: JobId(record.job_id),
            command: record.r#type,
            status,
            attempts: u32::try_from(record.attempts).unwrap_or(0),
            received_at: record.received_at,
            handled_at: Some(record.handled_at).filter(|_| status != Status::Retrying),
        })
    }
}
