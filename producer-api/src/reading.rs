//! How the door reads Postgres: never half-way, never for long, and not at all for a moment after it could not.
//!
//! A database future must never be dropped half-way, and axum drops a handler's when its client goes away; so each read is
//! a task of its own that is driven to its end, which the server's `statement_timeout` brings about.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_service::{Fatal, SecretUrl};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::ledger::ReadError;

/// How long to wait for a free or a new connection.
const ACQUIRE_DEADLINE: Duration = Duration::from_secs(3);
/// After this, Postgres itself cuts a statement.
const STATEMENT_TIMEOUT: &str = "5s";
/// A connection can go silent without an error, which no server-side limit catches.
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(9);
/// While Postgres does not answer, those who can do without it are not made to wait for it.
const AVOIDED_FOR: Duration = Duration::from_secs(1);

/// A pool of read-only connections; none is made before the first read, so Postgres may be down.
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

/// Closes every connection, once its read is done.
pub(crate) async fn close(pool: PgPool) {
    let closing = tokio::spawn(async move { pool.close().await });
    if tokio::time::timeout(READ_DEADLINE, closing).await.is_err() {
        tracing::warn!("A connection to the database is silent and is left to itself");
    }
}

/// For reads of one kind that can be done without: whether the last of them was left without an answer just now. Clones
/// share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Silence {
    until: Arc<Mutex<Option<Instant>>>,
}

impl Silence {
    /// An error at once where the last read was not answered a moment ago.
    pub fn is_over(&self) -> Result<(), ReadError> {
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

/// Gives a read this long to answer; it goes on by itself if it does not.
pub(crate) async fn driven_to_its_end<T: Send + 'static>(
    deadline: Duration,
    read: impl Future<Output = Result<T, ReadError>> + Send + 'static,
) -> Result<T, ReadError> {
    // The deadline is put on waiting for the task, not on the task.
    match tokio::time::timeout(deadline, tokio::spawn(read)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(ended)) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ReadError::Silent),
        },
        Err(_) => Err(ReadError::Silent),
    }
}
