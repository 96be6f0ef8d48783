//! A lane's own connection to Postgres, and what its errors mean for a batch.

use std::fmt;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, raw_sql};

use crate::store::SaveError;

/// Connecting, logging in and the first question; also for a ping, and for closing.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// A batch's whole transaction, also where the network swallows the answer. Above the server's own limits.
const TRANSACTION_DEADLINE: Duration = Duration::from_secs(30);
const STATEMENT_TIMEOUT: &str = "10s";
const LOCK_TIMEOUT: &str = "5s";
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "15s";
/// Whatever a lane reads, it reads by key. A statement that is planned while its table is as good as empty would be planned
/// to read all of it, and keep that plan for as long as nobody analyzes the table, however large it grows meanwhile.
const SEQUENTIAL_SCANS: &str = "off";

/// What a database error means for the batch.
#[derive(Debug)]
pub enum DbError {
    /// The database is not there, or its schema does not fit this release. Says nothing about the messages: wait.
    Unavailable(String),
    /// Another worker was faster: decide the batch again, at once.
    Conflict(String),
    /// One of the messages leads to a row that the database refuses.
    RowRejected(String),
}

impl DbError {
    /// Classifies an error by its SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(refused) => {
                let code = refused.code().unwrap_or_default();
                let text = format!("{} (SQLSTATE {code})", refused.message());
                match code.as_ref() {
                    "40001" | "40P01" => Self::Conflict(text),
                    // 22: data that has no place in a column. 23: a constraint. 54: too large or too deep.
                    code if ["22", "23", "54"].contains(&code.get(..2).unwrap_or_default()) => {
                        Self::RowRejected(text)
                    }
                    // Everything else is about the server, the connection or the schema, not about the data.
                    _ => Self::Unavailable(text),
                }
            }
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_) => {
                Self::RowRejected(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unavailable(text) | Self::Conflict(text) | Self::RowRejected(text)) = self;
        f.write_str(text)
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        Self::of(&error)
    }
}

impl From<SaveError> for DbError {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Conflict { .. } => Self::Conflict(error.to_string()),
            SaveError::Database(error) => Self::of(&error),
        }
    }
}

/// One connection, opened when it is needed.
#[derive(Debug)]
pub struct Database {
    options: PgConnectOptions,
    durability: Durability,
    connection: Option<PgConnection>,
}

/// Whether a server that may forget what it has committed will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// No: acknowledgements rely on what it has confirmed.
    Required,
    /// Yes, for trying things out.
    Waived,
}

impl Database {
    /// A database that has not been connected to yet.
    pub fn new(options: PgConnectOptions, application: &str, durability: Durability) -> Self {
        let options = options
            .application_name(application)
            .options([
                ("statement_timeout", STATEMENT_TIMEOUT),
                ("lock_timeout", LOCK_TIMEOUT),
                ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
                ("enable_seqscan", SEQUENTIAL_SCANS),
            ])
            .disable_statement_logging();
        Self { options, durability, connection: None }
    }

    /// The connection, opened if need be.
    pub async fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => within(CONNECT_DEADLINE, self.open()).await?,
        };
        Ok(self.connection.insert(connection))
    }

    async fn open(&self) -> Result<PgConnection, DbError> {
        let mut connection = self.options.connect().await?;
        if self.durability == Durability::Required {
            require_durability(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Whether the database answers.
    pub async fn check(&mut self) -> Result<(), DbError> {
        let connection = self.connection().await?;
        let answered = within(CONNECT_DEADLINE, async { Ok(connection.ping().await?) }).await;
        if answered.is_err() {
            self.disconnect();
        }
        answered
    }

    /// Ends a transaction that has failed, and keeps the connection if that works.
    pub async fn roll_back(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && bounded(async { Ok(raw_sql("ROLLBACK").execute(&mut connection).await?) }).await.is_ok()
        {
            self.connection = Some(connection);
        }
    }

    /// Drops the connection, and with it whatever transaction it is in.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Closes the session cleanly.
    pub async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = within(CONNECT_DEADLINE, async { Ok(connection.close().await?) }).await
        {
            tracing::debug!("The database was gone before the session was closed: {error}");
        }
    }
}

/// Drives a transaction to its end, or cuts it off at the deadline. Cut off in the middle of a query, the session is in no
/// known state: after an outage the connection must be dropped.
pub async fn bounded<T>(work: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    within(TRANSACTION_DEADLINE, work).await
}

/// The one place in which the database is waited for.
async fn within<T>(deadline: Duration, work: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    let no_answer = |_| DbError::Unavailable(format!("the database did not answer within {deadline:?}"));
    tokio::time::timeout(deadline, work).await.map_err(no_answer)?
}

async fn require_durability(connection: &mut PgConnection) -> Result<(), DbError> {
    let settings = sqlx::query_file!("src/durability.sql").fetch_one(connection).await?;
    let off = [
        ("synchronous_commit", settings.synchronous_commit),
        ("fsync", settings.fsync),
        ("full_page_writes", settings.full_page_writes),
    ]
    .into_iter()
    .find(|(_, value)| value.as_deref().is_none_or(|value| value == "off"));
    match off {
        None => Ok(()),
        Some((name, _)) => Err(DbError::Unavailable(format!(
            "the database has {name} switched off and may forget what it has committed: switch it on, or set \
             DATABASE_MAY_FORGET=true to work with it all the same"
        ))),
    }
}
