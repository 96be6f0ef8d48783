//! RabbitMQ and PostgreSQL as servers that are killed, stopped, frozen and starved, and come back on the same data.

mod broker;
mod database;

use std::time::Duration;

pub use broker::{Alarm, Binding, Policy, Queue};
use sqlx::{ConnectOptions, PgConnection};

use super::StackError;
use super::signal::{self, Signal};
use crate::services::separate::{create_vhost, with_path};
use crate::services::{Addresses, Server, Services};
use crate::wait::{answer, eventually};

const STOP_DEADLINE: Duration = Duration::from_secs(60);
const END_DEADLINE: Duration = Duration::from_secs(10);

/// How a server is brought to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With everything below it, as when the machine goes.
    Kill,
    /// RabbitMQ cleanly, PostgreSQL as by `pg_ctl stop -m immediate`.
    Stop,
}

/// Both servers, private, with a vhost and a database for Millrace.
#[derive(Debug)]
pub struct Servers {
    services: Services,
    /// With the vhost.
    pub amqp_url: String,
    /// Without a path.
    pub management_url: String,
    /// With the database.
    pub database_url: String,
    pub vhost: &'static str,
    frozen: Vec<(Server, Vec<u32>)>,
    raised: Vec<Alarm>,
}

impl Servers {
    /// Starts both and makes the vhost.
    ///
    /// # Errors
    ///
    /// When their programs are not on this machine, or they do not start.
    pub async fn start() -> Result<Self, StackError> {
        let started = tokio::task::spawn_blocking(Services::start_private).await;
        let services = started.map_err(|error| StackError::new("starting the servers", error))??;
        let vhost = "millrace";
        let servers = Self {
            amqp_url: with_path(&services.amqp_url, vhost)?,
            management_url: services.management_url.clone(),
            database_url: services.database_url.clone(),
            vhost,
            frozen: Vec::new(),
            raised: Vec::new(),
            services,
        };
        create_vhost(&servers.addresses(), vhost).await?;
        Ok(servers)
    }

    /// One line for people: which versions, where.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.services.description
    }

    /// For people: which versions.
    #[must_use]
    pub fn versions(&self) -> &str {
        &self.services.versions
    }

    /// Brings a server to its end and returns once it has ended.
    pub async fn end(&mut self, server: Server, ending: Ending) -> Result<(), StackError> {
        self.thaw(server)?;
        let (Some(started), Some(pid)) =
            (self.services.started_pid(server), self.services.server_pid(server))
        else {
            return Err(StackError::new("ending a server", "it is not private"));
        };
        let family = signal::family(started);
        match (ending, server) {
            (Ending::Kill, _) => signal::send(Signal::KILL, &family)?,
            (Ending::Stop, Server::Broker) => signal::send(Signal::TERM, &[pid])?,
            (Ending::Stop, Server::Database) => signal::send(Signal::QUIT, &[pid])?,
        }
        let deadline = if ending == Ending::Kill { END_DEADLINE } else { STOP_DEADLINE };
        let ended =
            async || Ok(self.services.has_ended(server)? && !family.iter().any(|pid| signal::runs(*pid)));
        eventually(&format!("the end of {server:?} ({ending:?})"), deadline, ended).await.map(drop)
    }

    /// Starts a server that has ended; returns once it answers.
    pub async fn start_again(&mut self, server: Server) -> Result<(), StackError> {
        let url = self.url(server).to_owned();
        Ok(self.services.start_again(server, &url).await?)
    }

    /// Whether it runs, frozen or not.
    pub fn runs(&mut self, server: Server) -> Result<bool, StackError> {
        Ok(!self.services.has_ended(server)?)
    }

    /// Returns once the server answers.
    pub async fn until_answers(&self, server: Server, patience: Duration) -> Result<(), StackError> {
        let ask = async || Services::answers(server, self.url(server)).await;
        answer(&format!("{server:?} to answer"), patience, ask).await
    }

    /// Stops all of its processes where they are.
    pub fn freeze(&mut self, server: Server) -> Result<(), StackError> {
        let Some(pid) = self.services.server_pid(server) else { return Ok(()) };
        // PostgreSQL's sessions are processes of their own; once its first process is frozen, no new ones start.
        signal::send(Signal::STOP, &[pid])?;
        let family = signal::family(pid);
        if server == Server::Database {
            signal::send(Signal::STOP, &family)?;
        }
        self.frozen.push((server, family));
        Ok(())
    }

    /// Lets it go on.
    pub fn thaw(&mut self, server: Server) -> Result<(), StackError> {
        for (_, family) in self.frozen.extract_if(.., |(frozen, _)| *frozen == server) {
            signal::send(Signal::CONT, &family)?;
        }
        Ok(())
    }

    /// A session that bypasses all proxies.
    pub async fn session(&self) -> Result<PgConnection, sqlx::Error> {
        let options: sqlx::postgres::PgConnectOptions = self.database_url.parse()?;
        options.application_name("testkit").disable_statement_logging().connect().await
    }

    /// Where programs find both, past all proxies.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        Addresses {
            amqp_url: self.amqp_url.clone(),
            management_url: self.management_url.clone(),
            database_url: self.database_url.clone(),
        }
    }

    /// The process of a server, as long as it runs.
    #[must_use]
    pub fn pid(&self, server: Server) -> Option<u32> {
        self.services.server_pid(server)
    }

    fn url(&self, server: Server) -> &str {
        match server {
            Server::Broker => &self.amqp_url,
            Server::Database => &self.database_url,
        }
    }
}
