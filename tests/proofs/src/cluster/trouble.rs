//! Why a run could not be done, in words for people.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("`{command}` could not be started ({source}); is it installed?")]
    NotStarted { command: String, source: std::io::Error },
    #[error("`{command}` failed: {said}")]
    Failed { command: String, said: String },
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error("{what} did not come within {deadline_s} s: {seen}")]
    Late { what: String, deadline_s: u64, seen: String },
    #[error("{what}: {source}")]
    Database { what: &'static str, source: sqlx::Error },
    #[error("{0}")]
    Other(String),
}

impl Trouble {
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File(path, source)
    }

    pub fn database(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { what, source }
    }
}
