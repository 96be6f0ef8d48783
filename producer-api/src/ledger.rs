//! Reads the ledger, and never writes: the connections themselves are read-only.
//!
//! A database future must never be dropped half-way, and axum drops a handler's when its client goes away; so each read
//! is a task of its own that is driven to its end, which the server's `statement_timeout` brings about.

use std::time::Duration;

use millrace_contracts::{ClientId, Domain, JobId, MessageId};
use millrace_service::{Fatal, SecretUrl};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::{Json, Uuid};
use sqlx::{PgPool, query_file, query_file_as};
use time::OffsetDateTime;

use crate::flow::{Emitted, Row, Status};

/// How long to wait for a free or a new connection.
const ACQUIRE_DEADLINE: Duration = Duration::from_secs(3);
/// After this, Postgres itself cuts a statement.
const STATEMENT_TIMEOUT: &str = "5s";
/// A connection can go silent without an error, which no server-side limit catches.
const READ_DEADLINE: Duration = Duration::from_secs(9);

/// The rows of jobs.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pool: PgPool,
}

/// Why the ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The database is not there, or too busy.
    #[error("the database can't be reached, or is too busy")]
    Unreachable(#[source] sqlx::Error),
    /// No answer within the deadline; the read goes on by itself.
    #[error("the database did not answer within {} s", READ_DEADLINE.as_secs())]
    Silent,
    /// The database answers, but not what this version expects: it is not migrated, or newer.
    #[error("the ledger is not as this version expects it")]
    Unexpected(#[source] sqlx::Error),
    /// A status that this version does not know.
    #[error("the ledger has a status that this version does not know")]
    UnknownStatus,
}

impl Ledger {
    /// Prepares a pool of read-only connections; none is made before the first read, so Postgres may be down.
    pub fn open(url: &SecretUrl, name: &str, connections: usize) -> Result<Self, Fatal> {
        let options: PgConnectOptions = url
            .expose()
            .parse()
            // The error may repeat parts of the URL.
            .map_err(|_: sqlx::Error| {
                Fatal::Misconfigured("DATABASE_URL has a parameter that is not understood".into())
            })?;
        let options = options
            .application_name(name)
            .options([("statement_timeout", STATEMENT_TIMEOUT), ("default_transaction_read_only", "on")]);
        let pool = PgPoolOptions::new()
            .max_connections(u32::try_from(connections).unwrap_or(u32::MAX))
            .acquire_timeout(ACQUIRE_DEADLINE)
            .connect_lazy_with(options);
        Ok(Self::over(pool))
    }

    pub fn over(pool: PgPool) -> Self {
        Self { pool }
    }

    /// What has been noted of this job for this client, by when it was received.
    pub async fn rows(&self, job: JobId, client: &ClientId) -> Result<Vec<Row>, ReadError> {
        let (pool, client) = (self.pool.clone(), client.as_str().to_owned());
        driven_to_its_end(async move {
            let handlers: Vec<String> = Domain::ALL.iter().map(|domain| domain.name().to_owned()).collect();
            let (low, high) = job.first_message().flow_range();
            let records = query_file_as!(Record, "src/ledger/job.sql", &handlers, low, high, job.0, client)
                .fetch_all(&pool)
                .await?;
            records.into_iter().map(Row::try_from).collect()
        })
        .await
    }

    /// Whether the database answers, and has a ledger.
    pub async fn is_migrated(&self) -> Result<bool, ReadError> {
        let pool = self.pool.clone();
        driven_to_its_end(
            async move { Ok(query_file!("src/ledger/seen.sql").fetch_one(&pool).await?.migrated) },
        )
        .await
    }

    /// Closes every connection, once its read is done.
    pub async fn close(self) {
        let closing = tokio::spawn(async move { self.pool.close().await });
        if tokio::time::timeout(READ_DEADLINE, closing).await.is_err() {
            tracing::warn!("A connection to the database is silent and is left to itself");
        }
    }
}

async fn driven_to_its_end<T: Send + 'static>(
    read: impl Future<Output = Result<T, ReadError>> + Send + 'static,
) -> Result<T, ReadError> {
    // The deadline is put on waiting for the task, not on the task.
    match tokio::time::timeout(READ_DEADLINE, tokio::spawn(read)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(ended)) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ReadError::Silent),
        },
        Err(_) => Err(ReadError::Silent),
    }
}

struct Record {
    handler: String,
    message_id: Uuid,
    causation_id: Uuid,
    r#type: String,
    status: String,
    attempts: i32,
    result: Option<Json<Value>>,
    problem: Option<Json<Value>>,
    emitted: Option<Json<Vec<Emitted>>>,
    received_at: OffsetDateTime,
    handled_at: OffsetDateTime,
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
