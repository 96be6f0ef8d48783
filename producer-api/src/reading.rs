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

/// Whether reads get answers, as the last of them tell. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    avoided_until: Arc<Mutex<Option<Instant>>>,
}

impl Reading {
    /// An error at once where the last read was not answered a moment ago.
    pub fn must_be_possible(&self) -> Result<(), ReadError> {
        let until = *self.avoided_until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| Instant::now() < until) { Err(ReadError::Avoided) } else { Ok(()) }
    }

    /// Notes how a read went.
    pub fn went<T>(&self, outcome: &Result<T, ReadError>) {
        let silent = matches!(outcome, Err(ReadError::Unreachable(_) | ReadError::Silent));
        let until = silent.then(|| Instant::now() + AVOIDED_FOR);
        *self.avoided_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
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
