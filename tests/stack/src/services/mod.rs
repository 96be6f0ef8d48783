//! The services a run stands on, RabbitMQ and PostgreSQL: found, or started for as long as the run lasts.
//!
//! They come from the first of these sources that works:
//!
//! 1. *given*: `AMQP_URL` and `DATABASE_URL` (and `AMQP_MANAGEMENT_URL`) say where they are;
//! 2. *containers*: a Docker engine answers and the images `RABBITMQ_IMAGE` and `POSTGRES_IMAGE` are there or can be pulled;
//! 3. *private*: the servers' programs are on this machine; both are started in a temporary directory on free ports;
//! 4. *installed*: on Debian and as root the programs are installed with `apt-get`, then as before.
//!
//! `MILLRACE_SERVICES=given|containers|private` forces one source (`private` may install). What was started ends with
//! the process that started it, however that ends: see [`watchdog`].

mod answers;
mod containers;
mod given;
pub mod images;
pub mod install;
pub mod management;
pub mod ports;
mod postgres;
mod private;
mod programs;
mod rabbitmq;
mod restart;
pub mod separate;
#[cfg(test)]
mod tests;
pub mod watchdog;

use std::io::Write;
use std::sync::OnceLock;

use answers::{Urls, Versions};
pub use restart::Server;
use url::Url;
use watchdog::Watchdog;

/// How much of a log an error has.
const LOG_TAIL_LINES: usize = 25;
/// Debian's packages of both.
const SERVERS: [&str; 2] = ["rabbitmq-server", "postgresql"];

pub const FORCED_SOURCE: &str = "MILLRACE_SERVICES";

/// Where a program finds the servers.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// With user, password and vhost.
    pub amqp_url: String,
    /// With user and password, without a path.
    pub management_url: String,
    /// With user, password and database.
    pub database_url: String,
}

/// A RabbitMQ with its management API and a PostgreSQL, both answering.
///
/// Dropping it stops and removes whatever was started for it, and waits until that is done.
#[derive(Debug)]
pub struct Services {
    /// With user, password and vhost; the user may create vhosts.
    pub amqp_url: String,
    /// `http://user:password@host:port`, without a path.
    pub management_url: String,
    /// With user, password and `sslmode`; the user may create databases.
    pub database_url: String,
    /// One line for people: which source, which versions, where.
    pub description: String,
    /// Only which versions.
    pub versions: String,
    // Before the servers: clearing up ends them, and dropping them waits for their end.
    watchdog: Option<Watchdog>,
    private: Option<private::Servers>,
}

impl Services {
    /// Tries the sources in order and says on standard error which one was taken. Blocks until both servers answer; may be
    /// called from within any async runtime or none.
    ///
    /// # Errors
    ///
    /// When no source works, when the forced one does not, or when servers were started and do not answer.
    pub fn find_or_start() -> Result<Self, ServicesError> {
        let forced = std::env::var(FORCED_SOURCE).ok().filter(|source| !source.is_empty());
        let services = match forced.as_deref() {
            None => climb(),
            Some("given") => given::find()?.ok_or(ServicesError::NotGiven),
            Some("containers") => containers::start(),
            Some("private") => private_or_installed(),
            Some(other) => Err(ServicesError::UnknownSource(other.to_owned())),
        }?;
        say(&services.description);
        Ok(services)
    }

    /// The services that all tests of one binary share. They end with the process.
    ///
    /// # Panics
    ///
    /// When there are none to be had, with the reason.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<Services, String>> = OnceLock::new();
        match SHARED.get_or_init(|| Self::find_or_start().map_err(|error| error.to_string())) {
            Ok(services) => services,
            Err(reason) => panic!("no RabbitMQ and PostgreSQL to run on: {reason}"),
        }
    }

    fn answering(how: &str, urls: Urls, versions: &Versions) -> Self {
        let description = format!(
            "{how} RabbitMQ {} ({}, console {}) and PostgreSQL {} ({})",
            versions.rabbitmq,
            without_login(&urls.amqp),
            without_login(&urls.management),
            versions.postgres,
            without_login(&urls.database),
        );
        Self {
            amqp_url: urls.amqp,
            management_url: urls.management,
            database_url: urls.database,
            description,
            versions: format!("RabbitMQ {} and PostgreSQL {}", versions.rabbitmq, versions.postgres),
            watchdog: None,
            private: None,
        }
    }
}

/// The last lines of a text, but for empty ones.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A URL fit for a log: scheme, host, port and path.
fn without_login(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "…".to_owned() };
    // Fails only for URLs that cannot have a login.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string().trim_end_matches("/%2f").trim_end_matches('/').to_owned()
}

impl Drop for Services {
    fn drop(&mut self) {
        drop(self.watchdog.take());
        drop(self.private.take());
    }
}

fn climb() -> Result<Services, ServicesError> {
    if let Some(services) = given::find()? {
        return Ok(services);
    }
    match containers::start() {
        Ok(services) => return Ok(services),
        Err(ServicesError::NoEngine { .. }) => {}
        Err(reason) => say(&format!("{reason}; trying servers on this machine instead")),
    }
    private_or_installed()
}

fn private_or_installed() -> Result<Services, ServicesError> {
    let missing = match programs::find() {
        Ok(programs) => return private::start(&programs),
        Err(missing) => missing,
    };
    if !install::possible() {
        return Err(ServicesError::NothingFound(missing));
    }
    install::install(&SERVERS)?;
    let programs = programs::find().map_err(ServicesError::NothingFound)?;
    private::start(&programs)
}

/// Past the test runner's capture, which would hide it: the run says what it stands on.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "services: {line}");
}

/// Why there are no services.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    #[error(
        "{FORCED_SOURCE} is `{0}`, but must be `given`, `containers` or `private` (or unset, to take what there is)"
    )]
    UnknownSource(String),
    #[error("{FORCED_SOURCE} is `given`, but AMQP_URL and DATABASE_URL are not set; set both")]
    NotGiven,
    #[error("{set} is set but {missing} is not, so only half of the services is given; set both or neither")]
    HalfGiven { set: &'static str, missing: &'static str },
    #[error("{variable} is not a URL that can be used: {reason}")]
    BadUrl { variable: &'static str, reason: String },
    #[error("these servers are not private ones, which alone can be ended and started again")]
    NotPrivate,
    #[error("no Docker engine answers ({reason})")]
    NoEngine { reason: String },
    #[error(
        "a Docker engine answers, but the image {image} is neither there nor can it be pulled ({reason})"
    )]
    NoImage { image: String, reason: String },
    #[error("a Docker engine answers, but {reason}")]
    Containers { reason: String },
    #[error(
        "{0} not found. Install RabbitMQ (with its management plugin) and PostgreSQL, or start Docker, or set \
         AMQP_URL, AMQP_MANAGEMENT_URL and DATABASE_URL; as root on Debian they are installed by themselves"
    )]
    NothingFound(programs::Missing),
    #[error("apt-get could not install what is needed; the end of what it said:\n{0}")]
    Install(String),
    #[error("{server} did not start: {reason}; the end of its log:\n{log}")]
    Start { server: &'static str, reason: String, log: String },
    #[error("{server} at {place} cannot be used: {reason}")]
    Silent { server: &'static str, place: String, reason: String },
    #[error("{what}: {reason}")]
    Refused { what: String, reason: String },
    #[error("{doing}: {source}")]
    Io { doing: String, source: std::io::Error },
}

impl ServicesError {
    fn refused(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Refused { what: what.into(), reason: reason.to_string() }
    }

    fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
