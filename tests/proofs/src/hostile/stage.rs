//! Where it happens: a broker, a database, one worker process, and our ways to look at them.

use std::path::Path;
use std::time::{Duration, Instant};

use millrace_testkit::stack::signal::Signal;
use millrace_testkit::stack::{Stack, StackError, StackSettings};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::hostile::good;
use crate::hostile::raw::{Client, Message, Refusal};

/// Retries are over within a moment.
const RETRY_SCALE: f64 = 0.001;
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const READY_PATIENCE: Duration = Duration::from_secs(60);
pub const PAUSE: Duration = Duration::from_millis(20);

/// What keeps a run from its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Stack(#[from] StackError),
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the system: {0}")]
    Io(#[from] std::io::Error),
}

/// A dead letter, and why it is one.
#[derive(Debug, Clone)]
pub struct Dead {
    pub id: Option<Vec<u8>>,
    /// `None` where nothing says why.
    pub reason: Option<String>,
    pub by_broker: bool,
}

/// lapin reads nested tables by recursion, in a thread of its own. Optimized programs need a sixteenth of it, as their
/// images have; it is only reserved, not used, until such a message comes.
const STACK_BYTES: u64 = 1 << 30;

pub struct Stage {
    stack: Stack,
    pub database: PgConnection,
    /// How often the worker had to be started again.
    pub restarts: u32,
}

impl Stage {
    pub async fn set(programs: &Path, logs: &Path) -> Result<Self, Broken> {
        let settings = StackSettings {
            programs: programs.to_owned(),
            logs: logs.to_owned(),
            domains: vec![good::QUEUE.to_owned()],
            doors: 0,
            workers: 1,
            retry_scale: RETRY_SCALE,
            environment: vec![
                ("LOG_FILTER".to_owned(), "info,lapin=error".to_owned()),
                ("RUST_MIN_STACK".to_owned(), STACK_BYTES.to_string()),
            ],
        };
        let stack = Stack::start(&settings).await?;
        let database = stack.servers.session().await?;
        let mut stage = Self { stack, database, restarts: 0 };
        let customer = Uuid::now_v7();
        stage.client().await?.publish(good::QUEUE, &good::customer(customer)).await?;
        while stage.status(customer).await?.is_none() {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(stage)
    }

    pub fn description(&self) -> &str {
        self.stack.servers.description()
    }

    /// A new connection, past the worker's proxy.
    pub async fn client(&self) -> Result<Client, Refusal> {
        Client::connect(&self.stack.servers.amqp_url).await
    }

    /// Starts the worker again if it has ended, and tells how it ended.
    pub async fn revive(&mut self) -> Result<Option<String>, Broken> {
        let unit = &self.stack.units[0];
        let mut program = unit.program.lock().await;
        let Some(status) = program.ended() else { return Ok(None) };
        self.restarts += 1;
        let log = program.log_tail();
        let last = log.lines().rev().find(|line| line.contains("thread") || line.contains("ERROR"));
        let told = format!("{status}: {}", last.unwrap_or_default());
        program.start_again(&self.stack.watchdog)?;
        Ok(Some(told))
    }

    pub async fn stop_worker(&self) -> Result<(), Broken> {
        let mut program = self.stack.units[0].program.lock().await;
        program.signal(Signal::Terminate)?;
        match program.end_within(STOP_PATIENCE).await {
            Some(_) => Ok(()),
            None => Err(StackError::new("stopping the worker", "it does not end").into()),
        }
    }

    pub async fn start_worker(&self) -> Result<(), Broken> {
        self.stack.units[0].program.lock().await.start_again(&self.stack.watchdog)?;
        Ok(self.stack.units[0].until_ready(READY_PATIENCE).await?)
    }

    /// How the ledger has a message, and after how many attempts.
    pub async fn status(&mut self, id: Uuid) -> Result<Option<(String, i32)>, sqlx::Error> {
        sqlx::query_as(
            "SELECT status, attempts FROM ledger.entries WHERE handler = 'orders' AND message_id = $1",
        )
        .bind(id)
        .fetch_optional(&mut self.database)
        .await
    }

    /// How many of these messages have succeeded.
    pub async fn succeeded(&mut self, ids: &[Uuid]) -> Result<usize, sqlx::Error> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM ledger.entries
             WHERE handler = 'orders' AND message_id = ANY ($1) AND status = 'succeeded'",
        )
        .bind(ids)
        .fetch_one(&mut self.database)
        .await?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Waits until the domain's queue and the retry ladder are empty and nothing is unacknowledged. Says whether that
    /// came about in time.
    pub async fn quiet(&mut self, patience: Duration) -> Result<bool, Broken> {
        let until = Instant::now() + patience;
        // The broker renews its figures every few seconds only.
        let mut quiet_since: Option<Instant> = None;
        loop {
            let queues = self.stack.servers.queues().await?;
            let busy = queues.iter().any(|queue| {
                let ours = queue.name == good::QUEUE || queue.name.starts_with("retry.");
                ours && queue.messages > 0
            });
            let since = *quiet_since.get_or_insert_with(Instant::now);
            match busy {
                true => quiet_since = None,
                false if since.elapsed() > Duration::from_secs(7) => return Ok(true),
                false => {}
            }
            if Instant::now() > until {
                return Ok(false);
            }
            self.revive().await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Takes all dead letters out.
    pub async fn dead_letters(&self, client: &mut Client) -> Result<Vec<Dead>, Refusal> {
        let mut letters = Vec::new();
        while let Some(letter) = client.take(good::DEAD).await? {
            letters.push(Dead::from(&letter));
        }
        Ok(letters)
    }
}

impl From<&Message> for Dead {
    fn from(letter: &Message) -> Self {
        // Only the worker writes who it was; a header of the same name in a forged message is overwritten by it.
        let own = letter.text("failed-by").and(letter.text("failure-reason"));
        let brokers = letter.text("x-last-death-reason").or_else(|| letter.text("x-first-death-reason"));
        let by_broker = brokers.is_some();
        Self { id: letter.message_id.clone(), reason: brokers.or(own), by_broker }
    }
}
