//! Where it happens: two doors, a worker of each domain, servers of their own, and our ways to look at them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use millrace_contracts::catalog;
use millrace_testkit::stack::program::log_file;
use millrace_testkit::stack::signal::Signal;
use millrace_testkit::stack::{Role, Stack, StackError, StackSettings, Unit};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::siege::commands;
use crate::siege::judge::Judge;
use crate::siege::wire::{Answer, Client, Request};

/// A twentieth: the first retries are over within a moment, and the last take some seconds.
pub const RETRY_SCALE: f64 = 0.05;
/// What the doors of a siege give a header and a body, so that none of it takes long.
pub const HEADER_DEADLINE: Duration = Duration::from_secs(3);
pub const BODY_DEADLINE: Duration = Duration::from_secs(3);
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const PAUSE: Duration = Duration::from_millis(20);
const STOP_PATIENCE: Duration = Duration::from_secs(40);

/// What keeps a run from its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Stack(#[from] StackError),
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the broker: {0}")]
    Broker(#[from] lapin::Error),
    #[error("the topology: {0}")]
    Topology(String),
    #[error("the system: {0}")]
    Io(#[from] std::io::Error),
    #[error("waited in vain for {0}")]
    Waited(String),
}

pub struct Stage {
    pub stack: Stack,
    pub judge: Judge,
    pub logs: PathBuf,
}

impl Stage {
    pub async fn set(programs: &Path, logs: &Path, log_filter: &str) -> Result<Self, Broken> {
        // What an earlier run wrote is none of this one's.
        match std::fs::remove_dir_all(logs) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let millis = |duration: Duration| duration.as_millis().to_string();
        let settings = StackSettings {
            programs: programs.to_owned(),
            logs: logs.to_owned(),
            domains: catalog().domains().iter().map(|domain| domain.as_str().to_owned()).collect(),
            doors: 2,
            workers: 1,
            retry_scale: RETRY_SCALE,
            environment: [
                ("LOG_FILTER", log_filter.to_owned()),
                ("API_HEADER_DEADLINE_MS", millis(HEADER_DEADLINE)),
                ("API_BODY_DEADLINE_MS", millis(BODY_DEADLINE)),
                // The door is besieged, not one client held to its share.
                ("API_CLIENT_RATE", "1000000".to_owned()),
                ("API_KEY_USE_EVERY_MS", "1000".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        };
        let stack = Stack::start(&settings).await?;
        Ok(Self { judge: Judge::of(&stack), stack, logs: logs.to_owned() })
    }

    pub fn doors(&self) -> Vec<Unit> {
        self.stack.units.iter().filter(|unit| unit.role == Role::Door).cloned().collect()
    }

    /// Where a door listens.
    pub fn door(&self, number: usize) -> SocketAddr {
        self.stack.units[number].listens
    }

    pub fn key(&self) -> &str {
        &self.stack.api_key
    }

    /// What each door's process is.
    pub async fn door_pids(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        for door in self.doors() {
            pids.push(door.program.lock().await.pid());
        }
        pids
    }

    /// Memory of a door, in KiB; 0 once it has ended.
    pub async fn rss(&self, number: usize) -> u64 {
        let program = self.stack.units[number].program.lock().await;
        program.resources().map_or(0, |resources| resources.rss_kib)
    }

    /// How many lines in the doors' logs tell of a panic.
    pub fn panics(&self) -> usize {
        let logs = self.doors().into_iter().map(|door| log_file(&self.logs, &door.name));
        let texts = logs.map(|log| std::fs::read(log).unwrap_or_default());
        texts.map(|text| String::from_utf8_lossy(&text).matches("panicked").count()).sum()
    }

    pub async fn stop_workers(&self) -> Result<(), Broken> {
        let workers = self.stack.units.iter().filter(|unit| unit.role != Role::Door);
        for worker in workers.clone() {
            worker.program.lock().await.signal(Signal::Terminate)?;
        }
        for worker in workers {
            if worker.program.lock().await.end_within(STOP_PATIENCE).await.is_none() {
                return Err(
                    StackError::new("stopping a worker", format!("{} does not end", worker.name)).into()
                );
            }
        }
        Ok(())
    }

    pub async fn start_workers(&self) -> Result<(), Broken> {
        let workers = self.stack.units.iter().filter(|unit| unit.role != Role::Door);
        for worker in workers {
            worker.program.lock().await.start_again(&self.stack.watchdog)?;
        }
        self.ready().await
    }

    /// Waits until every program is ready.
    pub async fn ready(&self) -> Result<(), Broken> {
        for unit in &self.stack.units {
            unit.until_ready(PATIENCE).await?;
        }
        Ok(())
    }

    /// Posts to a door in good health until the job is taken; its answer.
    pub async fn taken(&self, request: &Request) -> Result<Answer, Broken> {
        let mut client = Client::of(self.door(0));
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = client.ask(request, PATIENCE).await.answer();
            if let Some(answer) = answer.filter(|answer| answer.status() / 100 == 2) {
                return Ok(answer);
            }
            if Instant::now() > until {
                return Err(Broken::Waited("a job to be taken".to_owned()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A user whom orders know.
    pub async fn customer(&self) -> Result<Uuid, Broken> {
        let email = format!("{}@example.com", Uuid::now_v7().simple());
        let answer =
            self.taken(&Request::job("users.register", &commands::register(&email), self.key())).await?;
        let job = answer.text("/job_id").and_then(|job| job.parse().ok()).unwrap_or_default();
        let mut session = self.stack.servers.session().await?;
        until("a customer to be known", async || {
            count(&mut session, "SELECT count(*) FROM orders.customers WHERE user_id = $1", job)
                .await
                .map(|count| count == 1)
        })
        .await?;
        Ok(job)
    }
}

/// How many rows this names.
pub async fn count(session: &mut PgConnection, sql: &'static str, id: Uuid) -> Result<i64, Broken> {
    Ok(sqlx::query_scalar(sql).bind(id).fetch_one(session).await?)
}

/// Waits for a condition.
pub async fn until(
    what: &str,
    mut condition: impl AsyncFnMut() -> Result<bool, Broken>,
) -> Result<(), Broken> {
    let until = Instant::now() + PATIENCE;
    while !condition().await? {
        if Instant::now() > until {
            return Err(Broken::Waited(what.to_owned()));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
