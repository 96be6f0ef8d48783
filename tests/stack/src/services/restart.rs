//! Private servers for those who kill them: each can end at any moment and be started again on what it has left.

use std::process::Command;
use std::time::{Duration, Instant};

use super::answers::{self, ONE_TRY};
use super::{Services, ServicesError, private, private_or_installed};

/// Both come back in some 5 s on two idle cores; under load, and after a crash, they need longer.
const BACK_DEADLINE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(25);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// RabbitMQ.
    Broker,
    /// PostgreSQL.
    Database,
}

impl Server {
    const fn name(self) -> &'static str {
        match self {
            Self::Broker => "RabbitMQ",
            Self::Database => "PostgreSQL",
        }
    }
}

impl Services {
    /// Servers of our own, whatever else there is.
    ///
    /// # Errors
    ///
    /// When their programs are not on this machine and cannot be installed, or when they do not answer.
    pub fn start_private() -> Result<Self, ServicesError> {
        let services = private_or_installed()?;
        super::say(&services.description);
        Ok(services)
    }

    /// The process of the server itself; `None` where the servers are not private.
    #[must_use]
    pub fn server_pid(&self, server: Server) -> Option<u32> {
        self.private.as_ref().map(|servers| match server {
            Server::Broker => servers.rabbitmq.pid(),
            Server::Database => servers.postgres.pid(),
        })
    }

    /// The process that was started as the server, which for RabbitMQ is a script around it.
    #[must_use]
    pub fn started_pid(&self, server: Server) -> Option<u32> {
        self.private.as_ref().map(|servers| match server {
            Server::Broker => servers.rabbitmq.script_pid(),
            Server::Database => servers.postgres.pid(),
        })
    }

    /// Whether the server has ended.
    ///
    /// # Errors
    ///
    /// When the servers are not private, or the system does not tell.
    pub fn has_ended(&mut self, server: Server) -> Result<bool, ServicesError> {
        let servers = self.private_servers()?;
        let ended = match server {
            Server::Broker => servers.rabbitmq.ended(),
            Server::Database => servers.postgres.ended(),
        };
        Ok(ended.map_err(ServicesError::io(format!("watching {}", server.name())))?.is_some())
    }

    /// Starts a server that has ended, and returns as soon as it answers at this URL.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or does not answer for two minutes.
    pub async fn start_again(&mut self, server: Server, url: &str) -> Result<(), ServicesError> {
        self.spawn_again(server)?;
        let until = Instant::now() + BACK_DEADLINE;
        while let Err(reason) = Self::answers(server, url).await {
            if Instant::now() > until {
                let place = super::without_login(url);
                return Err(ServicesError::Silent { server: server.name(), place, reason });
            }
            // PostgreSQL gives up when processes of the one before still hold its memory.
            if self.has_ended(server)? {
                self.spawn_again(server)?;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Whether the server answers at this URL, and otherwise why not.
    pub async fn answers(server: Server, url: &str) -> Result<(), String> {
        let answer = async {
            match server {
                Server::Broker => answers::amqp_session(url).await,
                Server::Database => answers::postgres_version(url).await.map(drop),
            }
        };
        tokio::time::timeout(ONE_TRY, answer).await.unwrap_or_else(|_| Err("it does not answer".to_owned()))
    }

    /// `rabbitmqctl` for the private node; `None` where the servers are not private.
    #[must_use]
    pub fn rabbitmqctl(&self) -> Option<Command> {
        self.private.as_ref().map(|servers| servers.rabbitmq.control())
    }

    fn spawn_again(&mut self, server: Server) -> Result<(), ServicesError> {
        let Self { private, watchdog, .. } = self;
        let (Some(servers), Some(watchdog)) = (private, watchdog) else {
            return Err(ServicesError::NotPrivate);
        };
        let started = match server {
            Server::Broker => servers.rabbitmq.start_again(watchdog),
            Server::Database => servers.postgres.start_again(watchdog),
        };
        started.map_err(ServicesError::io(format!("starting {} again", server.name())))
    }

    fn private_servers(&mut self) -> Result<&mut private::Servers, ServicesError> {
        self.private.as_mut().ok_or(ServicesError::NotPrivate)
    }
}
