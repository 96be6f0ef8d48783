//! What can go wrong in a task, in words for the person who typed it.

use std::path::PathBuf;
use std::process::ExitCode;

use millrace_stack::services::ServicesError;
use millrace_stack::stack::StackError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Services(#[from] ServicesError),
    #[error(transparent)]
    Stack(#[from] StackError),
    #[error("`{command}` could not be started: {source}")]
    NotStarted { command: String, source: std::io::Error },
    #[error("`{command}` failed ({status}){said}")]
    Failed { command: String, status: std::process::ExitStatus, said: String },
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{what}: {reason}")]
    Http { what: String, reason: String },
    #[error("{what}: {source}")]
    Database { what: &'static str, source: sqlx::Error },
    #[error("applying the migrations: {0}")]
    Migration(sqlx::migrate::MigrateError),
    #[error("{what}: {source}")]
    Amqp { what: &'static str, source: lapin::Error },
    #[error("{variable} cannot be used: {reason}")]
    BadSetting { variable: &'static str, reason: String },
    #[error(
        "{tool} is not on this machine, and this command installs it only as root on Debian; install it and try again"
    )]
    NoTool { tool: &'static str },
    #[error(
        "callgrind counted nothing for {case}: it never met the function {function}, which counts from its call to its \
         return; was it renamed, or inlined?"
    )]
    NothingCounted { case: String, function: &'static str },
    #[error(transparent)]
    NewDomain(#[from] crate::new_domain::Refused),
    #[error("stopped before the end")]
    Interrupted,
}

impl Error {
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub fn database(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { what, source }
    }

    pub fn amqp(what: &'static str) -> impl FnOnce(lapin::Error) -> Self {
        move |source| Self::Amqp { what, source }
    }
}

/// Prints it and chooses the exit code: 130 after Ctrl-C, as shells have it, otherwise 1.
pub fn report(error: Error) -> ExitCode {
    eprintln!("\nxtask: {error}");
    match error {
        Error::Interrupted => ExitCode::from(130),
        _ => ExitCode::FAILURE,
    }
}
