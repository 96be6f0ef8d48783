//! Why the checker could not do its work. None of it says anything about the promise.

use std::path::{Path, PathBuf};

/// Each is a sentence for the person who runs the campaign.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error(
        "{path}, line {line} can't be read ({source}): it was not written by this version, or was cut off"
    )]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
    #[error("while {doing}: {source}. Check --database-url, and that the database is migrated")]
    Database { doing: &'static str, source: sqlx::Error },
    #[error("while {doing}: {reason}. Check --amqp-url, --management-url and --vhost")]
    Broker { doing: &'static str, reason: String },
    #[error(
        "the ledger holds {rows} rows from before: what is not of this run can't be told from a phantom. Use a new \
         database"
    )]
    NotNew { rows: i64 },
    #[error(
        "no job was accepted, so there is nothing to check. Look at the doors' logs; the last answer was: {last}"
    )]
    NothingAccepted { last: String },
    #[error("stdin was closed before it said `healed`: whoever started this run is gone")]
    Abandoned,
}

impl Trouble {
    /// A file can't be used.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    /// The database does not answer, or not as it should.
    pub fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }

    /// The broker does not answer, or not as it should.
    pub fn broker<E: std::fmt::Display>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Broker { doing, reason: error.to_string() }
    }
}
