//! Reads the ledger, and never writes: the connections themselves are read-only.

mod row;

use std::collections::HashMap;
use std::time::Duration;

use millrace_contracts::ledger::Emitted;
use millrace_contracts::{ClientId, Domain, JobId};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgPool, query_file, query_file_as};
use time::OffsetDateTime;

use crate::flow::Row;
use crate::jobs::list::{Filter, Listed, Page, Position};
use crate::reading::{self, READ_DEADLINE, Silence, driven_to_its_end};
use row::{ListedRecord, Record};

/// What is of use only at once: a job is taken in without it.
const GLANCE_DEADLINE: Duration = Duration::from_secs(1);
/// A page of jobs is looked for among so many.
const EXAMINED_MAX: i64 = 5_000;

/// The rows of jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pool: PgPool,
    silence: Silence,
}

/// Why the ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The database is not there, or too busy.
    #[error("the database can't be reached, or is too busy")]
    Unreachable(#[source] sqlx::Error),
    /// No answer within the deadline; the read goes on by itself.
    #[error("the database did not answer in time")]
    Silent,
    /// The database did not answer a moment ago.
    #[error("the database did not answer a moment ago")]
    Avoided,
    /// The database answers, but not what this version expects: it is not migrated, or newer.
    #[error("the ledger is not as this version expects it")]
    Unexpected(#[source] sqlx::Error),
    /// A status that this version does not know.
    #[error("the ledger has a status that this version does not know")]
    UnknownStatus,
}

/// What a job was posted as, and by what body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Posted {
    pub message_type: String,
    pub fingerprint: String,
}

/// How far a job's flow is, in a form that changes whenever one of its rows does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    rows: i64,
    attempts: i64,
    latest: OffsetDateTime,
}

impl Ledger {
    pub fn over(pool: PgPool) -> Self {
        Self { pool, silence: Silence::default() }
    }

    /// What has been noted of this job for this client, by when it was received.
    pub async fn rows(&self, job: JobId, client: &ClientId) -> Result<Vec<Row>, ReadError> {
        let (pool, client) = (self.pool.clone(), client.as_str().to_owned());
        driven_to_its_end(READ_DEADLINE, async move {
            let (low, high) = job.first_message().flow_range();
            let records = query_file_as!(Record, "src/ledger/job.sql", &handlers(), low, high, job.0, client)
                .fetch_all(&pool)
                .await?;
            records.into_iter().map(Row::try_from).collect()
        })
        .await
    }

    /// How a job that a client has named was posted, where a worker has it already. Not asked of a database that did not
    /// answer a moment ago.
    pub async fn posted(&self, job: JobId, client: &ClientId) -> Result<Option<Posted>, ReadError> {
        self.silence.is_over()?;
        let (pool, client) = (self.pool.clone(), client.as_str().to_owned());
        let outcome = driven_to_its_end(GLANCE_DEADLINE, async move {
            let found = query_file_as!(Posted, "src/ledger/posted.sql", &handlers(), job.0, client);
            Ok(found.fetch_optional(&pool).await?)
        })
        .await;
        self.silence.note(&outcome);
        outcome
    }

    /// How far the flows of these jobs are. Those that no worker has touched are not among them.
    pub async fn stamps(&self, jobs: Vec<(JobId, ClientId)>) -> Result<HashMap<JobId, Stamp>, ReadError> {
        let pool = self.pool.clone();
        driven_to_its_end(READ_DEADLINE, async move {
            let ids: Vec<_> = jobs.iter().map(|(job, _)| job.0).collect();
            let (lows, highs): (Vec<_>, Vec<_>) =
                jobs.iter().map(|(job, _)| job.first_message().flow_range()).unzip();
            let clients: Vec<_> = jobs.iter().map(|(_, client)| client.as_str().to_owned()).collect();
            let rows = query_file!("src/ledger/stamps.sql", &ids, &lows, &highs, &clients, &handlers())
                .fetch_all(&pool)
                .await?;
            let stamp = |rows, attempts, latest| Stamp { rows, attempts, latest };
            Ok(rows
                .into_iter()
                .map(|row| (JobId(row.job_id), stamp(row.rows, row.attempts, row.latest)))
                .collect())
        })
        .await
    }

    /// A client's own jobs, those that came last first, as far as workers have touched them.
    pub async fn list(&self, client: &ClientId, filter: Filter) -> Result<Page, ReadError> {
        let (pool, client) = (self.pool.clone(), client.as_str().to_owned());
        driven_to_its_end(READ_DEADLINE, async move {
            let (before, below) = filter
                .after
                .map_or((None, None), |Position { received_at, job }| (Some(received_at), Some(job.0)));
            let records = query_file_as!(
                ListedRecord,
                "src/ledger/list.sql",
                client,
                filter.since,
                before,
                below,
                EXAMINED_MAX,
                filter.status.map(|status| status.name().to_owned()),
                filter.command,
                filter.limit,
            )
            .fetch_all(&pool)
            .await?;
            page(records, filter.limit)
        })
        .await
    }

    /// Whether the database answers, and has a ledger.
    pub async fn is_migrated(&self) -> Result<bool, ReadError> {
        let pool = self.pool.clone();
        driven_to_its_end(READ_DEADLINE, async move {
            Ok(query_file!("src/ledger/seen.sql").fetch_one(&pool).await?.migrated)
        })
        .await
    }

    /// Closes every connection, once its read is done.
    pub async fn close(self) {
        reading::close(self.pool).await;
    }
}

fn handlers() -> Vec<String> {
    Domain::ALL.iter().map(|domain| domain.name().to_owned()).collect()
}

/// The jobs among these records, and where the next page begins. The last record only says up to where it was looked.
fn page(records: Vec<ListedRecord>, limit: i64) -> Result<Page, ReadError> {
    let end = records.iter().find(|record| record.is_end);
    let examined_all = end.is_none_or(|end| end.examined < EXAMINED_MAX);
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
    Ok(Page { jobs, next })
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        let expected = match &error {
            // Classes of PostgreSQL's appendix A that speak of the server's state, not of the statement: connection,
            // authorisation, transaction, resources, intervention, system.
            sqlx::Error::Database(database) => database.code().is_some_and(|code| {
                ["08", "28", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
            }),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::Decode(_) => {
                false
            }
            _ => true,
        };
        if expected { Self::Unreachable(error) } else { Self::Unexpected(error) }
    }
}
