//! Reads the ledger, and never writes: the connections themselves are read-only.

pub(crate) mod page;
mod row;

use std::collections::HashMap;
use std::time::Duration;

use millrace_protocol::ledger::Emitted;
use millrace_protocol::{Catalog, ClientId, JobId};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgPool, query_file, query_file_as};
use time::OffsetDateTime;

use crate::database::{self, READ_DEADLINE, ReadError, RecentSilence, read_within};
use crate::flow::Row;
use page::{Filter, ListedRecord, Page, Position};
use row::Record;

/// A job is accepted without what `posted` returns, so it is not waited for any longer.
const POSTED_DEADLINE: Duration = Duration::from_secs(1);
/// A page of jobs examines this many at most.
const EXAMINED_MAX: i64 = 5_000;

/// The rows of jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pool: PgPool,
    catalog: &'static Catalog,
    silence: RecentSilence,
}

/// The command that a job was posted as, and the fingerprint of its data.
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
    /// Reads the rows of this catalog's domains.
    pub fn over(pool: PgPool, catalog: &'static Catalog) -> Self {
        Self { pool, catalog, silence: RecentSilence::default() }
    }

    /// This client's rows of this job, in the order in which they were received.
    pub async fn rows(&self, job: JobId, client: &ClientId) -> Result<Vec<Row>, ReadError> {
        let (pool, client, handlers) = (self.pool.clone(), client.as_str().to_owned(), self.handlers());
        read_within(READ_DEADLINE, async move {
            let (low, high) = job.first_message().flow_range();
            let records = query_file_as!(Record, "src/ledger/job.sql", &handlers, low, high, job.0, client)
                .fetch_all(&pool)
                .await?;
            records.into_iter().map(Row::try_from).collect()
        })
        .await
    }

    /// How a job with an idempotency key was posted, if a worker has it already. Postgres is not asked if it did not answer
    /// a moment ago.
    pub async fn posted(&self, job: JobId, client: &ClientId) -> Result<Option<Posted>, ReadError> {
        self.silence.check()?;
        let (pool, client, handlers) = (self.pool.clone(), client.as_str().to_owned(), self.handlers());
        let outcome = read_within(POSTED_DEADLINE, async move {
            let found = query_file_as!(Posted, "src/ledger/posted.sql", &handlers, job.0, client);
            Ok(found.fetch_optional(&pool).await?)
        })
        .await;
        self.silence.note(&outcome);
        outcome
    }

    /// How far the flows of these jobs are. A job that no worker has received is not among them.
    pub async fn stamps(&self, jobs: Vec<(JobId, ClientId)>) -> Result<HashMap<JobId, Stamp>, ReadError> {
        let (pool, handlers) = (self.pool.clone(), self.handlers());
        read_within(READ_DEADLINE, async move {
            let ids: Vec<_> = jobs.iter().map(|(job, _)| job.0).collect();
            let (lows, highs): (Vec<_>, Vec<_>) =
                jobs.iter().map(|(job, _)| job.first_message().flow_range()).unzip();
            let clients: Vec<_> = jobs.iter().map(|(_, client)| client.as_str().to_owned()).collect();
            let rows = query_file!("src/ledger/stamps.sql", &ids, &lows, &highs, &clients, &handlers)
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

    /// A page of the client's own jobs, newest first. A job that no worker has received is not among them.
    pub async fn list(&self, client: &ClientId, filter: Filter) -> Result<Page, ReadError> {
        let (pool, client) = (self.pool.clone(), client.as_str().to_owned());
        read_within(READ_DEADLINE, async move {
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
            Page::of(records, filter.limit, EXAMINED_MAX)
        })
        .await
    }

    /// Whether the database answers, and has a ledger.
    pub async fn is_migrated(&self) -> Result<bool, ReadError> {
        let pool = self.pool.clone();
        read_within(READ_DEADLINE, async move {
            Ok(query_file!("src/ledger/seen.sql").fetch_one(&pool).await?.migrated)
        })
        .await
    }

    /// Rows are found by the primary key, which begins with the handler.
    fn handlers(&self) -> Vec<String> {
        self.catalog.domains().iter().map(|domain| domain.as_str().to_owned()).collect()
    }

    /// Closes every connection once its read is done.
    pub async fn close(self) {
        database::close(self.pool).await;
    }
}
