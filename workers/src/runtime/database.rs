//! A lane's own connection to Postgres, and what an error of it means for the batch.

use std::fmt;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::store::SaveError;

/// Connecting and logging in.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// A batch's whole transaction, also where the network swallows the answer. Above the server's own limits.
const TRANSACTION_DEADLINE: Duration = Duration::from_secs(30);
const STATEMENT_TIMEOUT: &str = "10s";
const LOCK_TIMEOUT: &str = "5s";
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "15s";
/// Whatever a lane reads, it reads by key. A statement that is planned while its table is as good as empty would be planned
/// to read all of it, and keep that plan for as long as nobody analyzes the table, however large it grows meanwhile.
const SEQUENTIAL_SCANS: &str = "off";

/// What an error says about the batch that met it.
#[derive(Debug)]
pub enum Trouble {
    /// The database is not there, or this release and its schema don't fit. Says nothing about the messages: wait.
    Outage(String),
    /// Another worker was faster: decide again, at once.
    Conflict(String),
    /// One of the messages leads to a row that the database refuses.
    Culprit(String),
}

impl Trouble {
    /// Tells the three apart, by SQLSTATE class (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(refused) => {
                let code = refused.code().unwrap_or_default();
                let text = format!("{} (SQLSTATE {code})", refused.message());
                match code.as_ref() {
                    "40001" | "40P01" => Self::Conflict(text),
                    // 22: data that has no place in a column. 23: a constraint. 54: too large or too deep.
                    code if ["22", "23", "54"].contains(&code.get(..2).unwrap_or_default()) => {
                        Self::Culprit(text)
                    }
                    // Everything else is about the server, the connection or the schema, not about the data.
                    _ => Self::Outage(text),
                }
            }
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_) => {
                Self::Culprit(error.to_string())
            }
            _ => Self::Outage(error.to_string()),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Outage(text) | Self::Conflict(text) | Self::Culprit(text)) = self;
        f.write_str(text)
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::of(&error)
    }
}

impl From<SaveError> for Trouble {
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

/// Whether a server that may forget what it has committed is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// No: what it has confirmed is what our acknowledgements stand on.
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
    pub async fn connection(&mut self) -> Result<&mut PgConnection, Trouble> {
        if self.connection.is_none() {
            let connecting = tokio::time::timeout(CONNECT_DEADLINE, self.options.connect());
            let silent = |_| Trouble::Outage("the database does not answer".to_owned());
            let mut connection = connecting.await.map_err(silent)??;
            if self.durability == Durability::Required {
                require_durability(&mut connection).await?;
            }
            self.connection = Some(connection);
        }
        self.connection.as_mut().ok_or_else(|| Trouble::Outage("the connection is closed".to_owned()))
    }

    /// Whether the database answers.
    pub async fn check(&mut self) -> Result<(), Trouble> {
        let connection = self.connection().await?;
        let answered = tokio::time::timeout(CONNECT_DEADLINE, connection.ping()).await;
        let answered = answered
            .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::Error::other("the database does not answer"))));
        if answered.is_err() {
            self.disconnect();
        }
        Ok(answered?)
    }

    /// Drops the connection, and with it whatever transaction it is in.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Ends the session in good order.
    pub async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::debug!("The database was gone before the session was closed: {error}");
        }
    }
}

/// Drives work on a connection to its end, or cuts it off at the deadline. Cut off in the middle of a query, the session
/// is in no known state: after an outage the connection must be dropped.
pub async fn bounded<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let silent = |_| Trouble::Outage(format!("no answer within {TRANSACTION_DEADLINE:?}"));
    tokio::time::timeout(TRANSACTION_DEADLINE, work).await.map_err(silent)?
}

async fn require_durability(connection: &mut PgConnection) -> Result<(), Trouble> {
    let settings = sqlx::query_file!("src/runtime/durability.sql").fetch_one(connection).await?;
    let off = [
        ("synchronous_commit", settings.synchronous_commit),
        ("fsync", settings.fsync),
        ("full_page_writes", settings.full_page_writes),
    ]
    .into_iter()
    .find(|(_, value)| value.as_deref().is_none_or(|value| value == "off"));
    match off {
        None => Ok(()),
        Some((name, _)) => Err(Trouble::Outage(format!(
            "the database has {name} switched off and may forget what it has committed: switch it on, or set \
             DATABASE_MAY_FORGET=true to work with it all the same"
        ))),
    }
}
