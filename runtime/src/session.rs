//! A lane's session with the database: its connection, how it waits while the database is away, for which handler it works, and
//! the lane's sign of life.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use millrace_protocol::{Catalog, DomainName};
use millrace_service::Heartbeat;
use sqlx::PgConnection;

use crate::database::{Database, DbError, bounded};
use crate::pause::Pause;

/// Who handles messages.
#[derive(Debug, Clone)]
pub struct Handler {
    /// The domain.
    pub domain: DomainName,
    /// Worker and version, for the headers of a failure.
    pub worker: String,
    /// Where messages go that are published, and when those that failed are tried again.
    pub catalog: &'static Catalog,
}

/// A query that depends on nothing but its arguments.
///
/// A function pointer, since the future of an async closure that borrows can't be shown to be `Send` for every lifetime.
type Query<A, T> = for<'q> fn(&'q mut PgConnection, &'q Handler, &'q A) -> BoxFuture<'q, Result<T, DbError>>;

/// One lane's session.
#[derive(Debug)]
pub struct Session {
    pub handler: Arc<Handler>,
    /// Beats whenever the database is asked.
    pub heartbeat: Heartbeat,
    database: Database,
    pause: Pause,
}

impl Session {
    /// A session that has no connection yet.
    pub fn new(handler: Arc<Handler>, database: Database, pause: Pause, heartbeat: Heartbeat) -> Self {
        Self { handler, heartbeat, database, pause }
    }

    /// The connection, opened if need be.
    pub async fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        self.heartbeat.beat();
        self.database.connection().await
    }

    /// Ends a transaction that has failed, and keeps the connection if that works.
    pub async fn roll_back(&mut self) {
        self.database.roll_back().await;
    }

    /// Drops the connection, and with it whatever transaction it is in.
    pub fn disconnect(&mut self) {
        self.database.disconnect();
    }

    /// Whether the database answers.
    pub async fn check(&mut self) -> Result<(), DbError> {
        self.heartbeat.beat();
        self.database.check().await
    }

    /// Waits before the database is asked again; each time in a row for longer.
    pub async fn wait(&mut self, reason: &str) {
        self.pause.wait(reason).await;
    }

    /// The database has done what it was asked.
    pub fn available(&mut self) {
        self.pause.over();
    }

    /// Asks until the database answers. The query depends on no message's content, so no error is a message's fault.
    pub async fn retry_outages<A, T>(&mut self, arguments: &A, query: Query<A, T>) -> T {
        loop {
            match self.ask(arguments, query).await {
                Ok(found) => {
                    self.available();
                    return found;
                }
                Err(error) => {
                    self.disconnect();
                    self.wait(&error.to_string()).await;
                }
            }
        }
    }

    async fn ask<A, T>(&mut self, arguments: &A, query: Query<A, T>) -> Result<T, DbError> {
        self.heartbeat.beat();
        let connection = self.database.connection().await?;
        bounded(query(connection, &self.handler, arguments)).await
    }

    /// Ends the session cleanly.
    pub async fn close(&mut self) {
        self.database.close().await;
    }
}
