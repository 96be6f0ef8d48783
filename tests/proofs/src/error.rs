//! Why a proof could not be carried out. None of it says anything about Millrace.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use millrace_testkit::services::ServicesError;
use millrace_testkit::stack::StackError;

/// Each is a sentence for the person who runs the proof.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Services(#[from] ServicesError),
    #[error(transparent)]
    Stack(#[from] StackError),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the system refuses: {0}")]
    Io(#[from] std::io::Error),
    #[error("PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
    #[error("RabbitMQ: {0}")]
    Broker(#[from] lapin::Error),
    #[error("HTTP: {0}")]
    Http(#[from] reqwest::Error),
    #[error("{what}: {reason}")]
    Other { what: String, reason: String },
}

impl Error {
    /// While doing this, for this reason.
    pub fn new(what: impl Into<String>, reason: impl Display) -> Self {
        Self::Other { what: what.into(), reason: reason.to_string() }
    }

    /// Whatever else goes wrong while doing this.
    pub fn doing<E: Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |reason| Self::new(what, reason)
    }

    /// This file cannot be read or written.
    pub fn file(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::File { path, source }
    }

    /// Something did not happen in time.
    pub fn late(what: impl Display, deadline: std::time::Duration, seen: impl Display) -> Self {
        Self::new(format!("{what} did not come within {} s", deadline.as_secs()), seen)
    }
}
