//! How the API reads Postgres: each read to its end, within a deadline, and not at all for a moment after one got no answer.
//!
//! A database future must never be dropped before it is done, and axum drops a handler's when its client goes away. So each
//! read is a task of its own, which the server's `statement_timeout` ends at the latest.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_service::panics::contain_async;
use millrace_service::{Fatal, SecretUrl};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// How long a read waits for a free or a new connection.
const ACQUIRE_DEADLINE: Duration = Duration::from_secs(3);
/// After this, Postgres itself cuts a statement.
const STATEMENT_TIMEOUT: &str = "5s";
/// A connection can go silent without an error, which no limit of the server catches.
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(9);
/// While Postgres does not answer, requests that can do without it are not made to wait for it.
const AVOIDED_FOR: Duration = Duration::from_secs(1);

/// Why Postgres could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the database can't be reached, or is too busy")]
    Unreachable(#[source] sqlx::Error),
    /// No answer within the deadline; the read goes on by itself.
    #[error("the database did not answer in time")]
    Silent,
    /// A read a moment ago got no answer, so this one was not tried.
    #[error("the database did not answer a moment ago")]
    Avoided,
    /// The database answers, but not what this version expects: it is not migrated, or newer.
    #[error("the ledger is not as this version expects it")]
    Unexpected(#[source] sqlx::Error),
    #[error("the ledger has a status that this version does not know")]
    UnknownStatus,
}

/// A pool of read-only connections. It connects at the first read, so Postgres may be down.
pub(crate) fn pool(url: &SecretUrl, name: &str, connections: usize) -> Result<PgPool, Fatal> {
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
    Ok(PgPoolOptions::new()
        .max_connections(u32::try_from(connections).unwrap_or(u32::MAX))
        .acquire_timeout(ACQUIRE_DEADLINE)
        .connect_lazy_with(options))
}

/// Closes every connection once its read is done.
pub(crate) async fn close(pool: PgPool) {
    let closing = tokio::spawn(async move { pool.close().await });
    if tokio::time::timeout(READ_DEADLINE, closing).await.is_err() {
        tracing::warn!("A connection to the database does not answer, and is left open");
    }
}

/// Remembers for a second that a read got no answer, for reads of one kind that can be done without. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecentSilence {
    until: Arc<Mutex<Option<Instant>>>,
}

impl RecentSilence {
    /// An error at once where the last read got no answer a moment ago.
    pub fn check(&self) -> Result<(), ReadError> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| Instant::now() < until) { Err(ReadError::Avoided) } else { Ok(()) }
    }

    /// Notes how a read went.
    pub fn note<T>(&self, outcome: &Result<T, ReadError>) {
        let silent = matches!(outcome, Err(ReadError::Unreachable(_) | ReadError::Silent));
        let until = silent.then(|| Instant::now() + AVOIDED_FOR);
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Gives a read this long to answer. A read that does not answer in time goes on by itself.
pub(crate) async fn read_within<T: Send + 'static>(
    deadline: Duration,
    read: impl Future<Output = Result<T, ReadError>> + Send + 'static,
) -> Result<T, ReadError> {
    // The deadline limits the wait for the task, not the task.
    match tokio::time::timeout(deadline, tokio::spawn(contain_async(read))).await {
        Ok(Ok(Ok(outcome))) => outcome,
        // Logged where it happened; from here on it is the request's.
        Ok(Ok(Err(panic))) => std::panic::resume_unwind(Box::new(panic)),
        Ok(Err(_)) | Err(_) => Err(ReadError::Silent),
    }
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        let outage = match &error {
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
        if outage { Self::Unreachable(error) } else { Self::Unexpected(error) }
    }
}
