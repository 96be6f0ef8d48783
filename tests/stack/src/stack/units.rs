//! The programs of one system: each a process that may be asked, stopped and started again.

use std::net::SocketAddr;
use std::ops::Deref;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::StackError;
use super::program::Program;
use super::signal::Signal;
use crate::http;
use crate::services::watchdog::Watchdog;

const PAUSE: Duration = Duration::from_millis(20);
const ONE_TRY: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    Api,
    /// Processes the messages of this domain.
    Worker(String),
}

/// One program of the stack. Whoever does something to it holds its lock until that is over.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Such as `orders-worker-1`.
    pub name: String,
    pub role: Role,
    /// Where it answers probes, and the API its clients.
    pub listens: SocketAddr,
    pub program: Arc<Mutex<Program>>,
}

/// All of them, API processes first. They are killed when this goes, however it goes.
#[derive(Debug)]
pub struct Units {
    all: Vec<Unit>,
    pub watchdog: Arc<Watchdog>,
}

impl Deref for Units {
    type Target = [Unit];

    fn deref(&self) -> &[Unit] {
        &self.all
    }
}

impl Units {
    pub(super) fn new(all: Vec<Unit>, watchdog: Arc<Watchdog>) -> Self {
        Self { all, watchdog }
    }

    /// The processes that serve the API.
    pub fn apis(&self) -> impl Iterator<Item = &Unit> {
        self.iter().filter(|unit| unit.role == Role::Api)
    }

    /// The workers of all domains.
    pub fn workers(&self) -> impl Iterator<Item = &Unit> {
        self.iter().filter(|unit| unit.role != Role::Api)
    }

    /// The workers of one domain, in order.
    pub fn workers_of(&self, domain: &str) -> impl Iterator<Item = &Unit> {
        self.iter().filter(move |unit| matches!(&unit.role, Role::Worker(of) if of == domain))
    }

    /// The program of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Unit> {
        self.iter().find(|unit| unit.name == name)
    }

    /// Where the API is served.
    #[must_use]
    pub fn api_urls(&self) -> Vec<String> {
        self.apis().map(|api| format!("http://{}", api.listens)).collect()
    }

    /// Waits until every program is ready.
    ///
    /// # Errors
    ///
    /// When one has ended, or is not ready within this time.
    pub async fn until_ready(&self, patience: Duration) -> Result<(), StackError> {
        for unit in self.iter() {
            unit.until_ready(patience).await?;
        }
        Ok(())
    }

    /// Those that have ended, though nobody asked them to.
    pub async fn ended(&self) -> Vec<(&Unit, ExitStatus)> {
        let mut ended = Vec::new();
        for unit in self.iter() {
            ended.extend(unit.program.lock().await.ended().map(|status| (unit, status)));
        }
        ended
    }

    /// Asks every worker to stop, and waits for their ends.
    pub async fn stop_workers(&self, patience: Duration) -> Result<(), StackError> {
        for worker in self.workers() {
            worker.program.lock().await.signal(Signal::TERM)?;
        }
        for worker in self.workers() {
            worker.stop(patience).await?;
        }
        Ok(())
    }

    /// Starts every worker that was stopped, and does not wait for it.
    pub async fn start_workers(&self) -> Result<(), StackError> {
        for worker in self.workers() {
            worker.program.lock().await.start_again(&self.watchdog)?;
        }
        Ok(())
    }
}

impl Unit {
    /// Asks its readiness probe once.
    pub async fn ready(&self) -> Result<(), String> {
        let ask = async {
            let response =
                http::client(ONE_TRY)?.get(format!("http://{}/readyz", self.listens)).send().await?;
            let ready = response.status().is_success();
            Ok::<_, reqwest::Error>(if ready { Ok(()) } else { Err(response.text().await?) })
        };
        ask.await.unwrap_or_else(|error| Err(error.without_url().to_string()))
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it has ended, or is not ready within this time.
    pub async fn until_ready(&self, patience: Duration) -> Result<(), StackError> {
        let until = Instant::now() + patience;
        while let Err(reason) = self.ready().await {
            let mut program = self.program.lock().await;
            let ended = program.ended();
            if ended.is_some() || Instant::now() > until {
                let reason = ended.map_or(reason, |status| format!("it ended ({status})"));
                let text = format!("it is not ready: {reason}; the end of its log:\n{}", program.log_tail());
                return Err(StackError::new(self.name.clone(), text));
            }
            drop(program);
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Asks it to stop, and waits for its end.
    pub async fn stop(&self, patience: Duration) -> Result<ExitStatus, StackError> {
        let mut program = self.program.lock().await;
        program.signal(Signal::TERM)?;
        let ended = program.end_within(patience).await;
        ended.ok_or_else(|| {
            StackError::new(format!("stopping {}", self.name), format!("it runs after {patience:?}"))
        })
    }
}
