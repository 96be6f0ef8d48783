//! The third source: both servers started from the programs on this machine, in a temporary directory on free ports.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::answers::{self, Urls};
use super::programs::Programs;
use super::watchdog::Watchdog;
use super::{LOG_TAIL_LINES, Services, ServicesError, last_lines, postgres, rabbitmq};

/// Both are up in some 8 s on two idle cores; a machine that compiles at the same time needs longer.
const DEADLINE: Duration = Duration::from_secs(90);
/// A port that was free may be taken by the time a server comes to it.
const ATTEMPTS: u32 = 3;

#[derive(Debug)]
pub(super) struct Servers {
    /// All that they write is in here.
    #[cfg(test)]
    pub directory: PathBuf,
    pub rabbitmq: rabbitmq::Node,
    pub postgres: postgres::Cluster,
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.rabbitmq.reap();
        self.postgres.reap();
    }
}

pub(super) fn start(programs: &Programs) -> Result<Services, ServicesError> {
    let mut attempt = 1;
    loop {
        match start_once(programs) {
            Err(ServicesError::Start { log, .. }) if attempt < ATTEMPTS && says_port_taken(&log) => {
                attempt += 1
            }
            outcome => return outcome,
        }
    }
}

fn start_once(programs: &Programs) -> Result<Services, ServicesError> {
    let watchdog = Watchdog::start().map_err(ServicesError::io("starting the watchdog shell"))?;
    let directory = directory(&watchdog).map_err(ServicesError::io("making a temporary directory"))?;
    // RabbitMQ takes longest to start, so it goes first and PostgreSQL meanwhile.
    let rabbitmq = rabbitmq::start(programs, &directory.join("rabbitmq"), &watchdog)
        .map_err(ServicesError::io(format!("starting {}", programs.rabbitmq_server.display())))?;
    let postgres = postgres::start(programs, &directory.join("postgres"), &watchdog)?;
    let mut servers = Servers {
        #[cfg(test)]
        directory,
        rabbitmq,
        postgres,
    };
    match wait(&mut servers) {
        Ok((urls, versions)) => {
            let mut services = Services::answering("private", urls, &versions);
            services.watchdog = Some(watchdog);
            services.private = Some(servers);
            Ok(services)
        }
        Err(error) => {
            // In this order, because dropping the servers waits for the end that the watchdog brings about.
            drop(watchdog);
            drop(servers);
            Err(error)
        }
    }
}

fn wait(servers: &mut Servers) -> Result<(Urls, answers::Versions), ServicesError> {
    let urls = Urls {
        amqp: servers.rabbitmq.amqp_url.clone(),
        management: servers.rabbitmq.management_url.clone(),
        database: servers.postgres.database_url.clone(),
    };
    let maintenance = Urls { database: servers.postgres.maintenance_url.clone(), ..urls.clone() };
    let waited = answers::wait(&maintenance, DEADLINE, || both_run(servers));
    let versions = waited.map_err(|error| with_logs(error, servers))?;
    answers::create_database(&maintenance.database, postgres::DATABASE)?;
    Ok((urls, versions))
}

fn both_run(servers: &mut Servers) -> Result<(), ServicesError> {
    let check = |server, ended: io::Result<Option<String>>, logs: Vec<PathBuf>| match ended {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(ServicesError::Start { server, reason, log: tails(&logs) }),
        Err(source) => Err(ServicesError::Io { doing: format!("watching {server}"), source }),
    };
    check("RabbitMQ", servers.rabbitmq.ended(), servers.rabbitmq.logs())?;
    check("PostgreSQL", servers.postgres.ended(), servers.postgres.logs())
}

/// A server that runs and keeps silent says in its log what it waits for.
fn with_logs(error: ServicesError, servers: &Servers) -> ServicesError {
    match error {
        ServicesError::Silent { server, reason, .. } => {
            let logs = if server == "PostgreSQL" { servers.postgres.logs() } else { servers.rabbitmq.logs() };
            let reason = format!("no answer within {} s ({reason})", DEADLINE.as_secs());
            ServicesError::Start { server, reason, log: tails(&logs) }
        }
        other => other,
    }
}

fn tails(logs: &[PathBuf]) -> String {
    let tail = |path: &PathBuf| {
        last_lines(&String::from_utf8_lossy(&fs::read(path).unwrap_or_default()), LOG_TAIL_LINES)
    };
    logs.iter().map(tail).filter(|tail| !tail.is_empty()).collect::<Vec<_>>().join("\n")
}

fn says_port_taken(log: &str) -> bool {
    log.contains("eaddrinuse") || log.contains("ddress already in use")
}

/// A directory of our own that other users may pass through, since PostgreSQL runs as one.
fn directory(watchdog: &Watchdog) -> io::Result<PathBuf> {
    let directory = tempfile::Builder::new().prefix("millrace-").tempdir()?;
    watchdog.remove(directory.path())?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711))?;
    Ok(directory.keep())
}

/// Whether this process may install packages and must not run PostgreSQL as itself.
pub(super) fn is_root() -> bool {
    // What this process creates belongs to its effective user; the standard library has no other way to ask.
    fs::metadata(Path::new("/proc/self"))
        .map_or_else(|_| std::env::var("USER").is_ok_and(|user| user == "root"), |this| this.uid() == 0)
}
