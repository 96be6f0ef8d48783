//! What can go wrong in a verb, in words for the person who typed it.

use std::path::PathBuf;
use std::process::ExitCode;

use millrace_stack::services::ServicesError;

#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Services(#[from] ServicesError),
    #[error("`{command}` could not be started: {source}")]
    NotStarted { command: String, source: std::io::Error },
    #[error("`{command}` failed ({status}){said}")]
    Failed { command: String, status: std::process::ExitStatus, said: String },
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{name} was not ready within {deadline_s} s ({reason}); the end of its log:\n{log}")]
    NotReady { name: String, deadline_s: u64, reason: String, log: String },
    #[error("{what}: {reason}")]
    Http { what: String, reason: String },
    #[error("{what}: {source}")]
    Database { what: &'static str, source: sqlx::Error },
    #[error("applying the migrations: {0}")]
    Migration(sqlx::migrate::MigrateError),
    #[error("{what}: {source}")]
    Amqp { what: &'static str, source: lapin::Error },
    #[error("{variable} cannot be used: {reason}")]
    BadUrl { variable: &'static str, reason: String },
    #[error(
        "{tool} is not on this machine, and only as root on Debian it is installed by itself; install it, and try again"
    )]
    NoTool { tool: &'static str },
    #[error(
        "callgrind counted nothing for {case}: it never met the function {function}, which counts from its call to its \
         return; was it renamed, or inlined?"
    )]
    NothingCounted { case: String, function: &'static str },
    #[error("stopped before the end")]
    Interrupted,
}

impl Trouble {
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
pub fn report(trouble: Trouble) -> ExitCode {
    eprintln!("\nxtask: {trouble}");
    match trouble {
        Trouble::Interrupted => ExitCode::from(130),
        _ => ExitCode::FAILURE,
    }
}
