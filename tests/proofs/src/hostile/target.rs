//! What is attacked: a broker, a database and one worker process, and what can be seen of them.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::wait::until;
use millrace_testkit::stack::{Stack, StackSettings};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::hostile::amqp::{Client, Message, Refusal};
use crate::hostile::valid;

/// All retries end within seconds.
const RETRY_SCALE: f64 = 0.001;
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const READY_PATIENCE: Duration = Duration::from_secs(60);
pub const PAUSE: Duration = Duration::from_millis(20);

/// A dead letter, and why it is one.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    pub id: Option<Vec<u8>>,
    /// `None` where nothing says why.
    pub reason: Option<String>,
    /// Whether the broker gave the message up, not the worker.
    pub by_broker: bool,
}

/// lapin reads nested tables by recursion, in a thread of its own. Optimized programs need a sixteenth of it, as their
/// images have; it is only reserved, not used, until such a message comes.
const STACK_BYTES: u64 = 1 << 30;

pub struct Target {
    stack: Stack,
    pub database: PgConnection,
    /// How often the worker had to be started again.
    pub restarts: u32,
}

impl Target {
    pub async fn start(programs: &Path, logs: &Path) -> Result<Self, Error> {
        let settings = StackSettings {
            programs: programs.to_owned(),
            logs: logs.to_owned(),
            domains: vec![valid::QUEUE.to_owned()],
            apis: 0,
            workers: 1,
            retry_scale: RETRY_SCALE,
            environment: vec![
                ("LOG_FILTER".to_owned(), "info,lapin=error".to_owned()),
                ("RUST_MIN_STACK".to_owned(), STACK_BYTES.to_string()),
            ],
        };
        let stack = Stack::start(&settings).await?;
        let database = stack.servers.session().await?;
        let mut target = Self { stack, database, restarts: 0 };
        let customer = Uuid::now_v7();
        target.client().await?.publish(valid::QUEUE, &valid::customer(customer)).await?;
        until("the customer to be known", READY_PATIENCE, async || {
            Ok(target.status(customer).await?.is_some())
        })
        .await?;
        Ok(target)
    }

    pub fn description(&self) -> &str {
        self.stack.servers.description()
    }

    /// A new connection, past the worker's proxy.
    pub async fn client(&self) -> Result<Client, Refusal> {
        Client::connect(&self.stack.servers.amqp_url).await
    }

    /// Starts the worker again if it has ended, and says how it ended.
    pub async fn revive(&mut self) -> Result<Option<String>, Error> {
        let unit = &self.stack.units[0];
        let mut program = unit.program.lock().await;
        let Some(status) = program.ended() else { return Ok(None) };
        self.restarts += 1;
        let log = program.log_tail();
        let last = log.lines().rev().find(|line| line.contains("thread") || line.contains("ERROR"));
        let ended = format!("{status}: {}", last.unwrap_or_default());
        program.start_again(&self.stack.units.watchdog)?;
        Ok(Some(ended))
    }

    pub async fn stop_worker(&self) -> Result<(), Error> {
        Ok(self.stack.units.stop_workers(STOP_PATIENCE).await?)
    }

    pub async fn start_worker(&self) -> Result<(), Error> {
        Ok(self.stack.start_workers().await?)
    }

    /// A message's status in the ledger and its number of attempts.
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

    /// Waits until the domain's queue and all delay queues are empty and nothing is unacknowledged. Whether that came about
    /// in time.
    pub async fn quiet(&mut self, patience: Duration) -> Result<bool, Error> {
        let until = Instant::now() + patience;
        // The broker updates its counts only every few seconds.
        let mut quiet_since: Option<Instant> = None;
        loop {
            let queues = self.stack.servers.queues().await?;
            let busy = queues.iter().any(|queue| {
                let ours = queue.name == valid::QUEUE || queue.name.starts_with("retry.");
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
    pub async fn dead_letters(&self, client: &mut Client) -> Result<Vec<DeadLetter>, Refusal> {
        let mut letters = Vec::new();
        while let Some(letter) = client.take(valid::DEAD).await? {
            letters.push(DeadLetter::from(&letter));
        }
        Ok(letters)
    }
}

impl DeadLetter {
    pub fn is_one_of(&self, ids: &[Uuid]) -> bool {
        let id = self.id.as_deref().and_then(|id| Uuid::try_parse_ascii(id).ok());
        id.is_some_and(|id| ids.contains(&id))
    }
}

impl From<&Message> for DeadLetter {
    fn from(letter: &Message) -> Self {
        // Only the worker writes who it was; a header of the same name in a forged message is overwritten by it.
        let own = letter.text("failed-by").and(letter.text("failure-reason"));
        let brokers = letter.text("x-last-death-reason").or_else(|| letter.text("x-first-death-reason"));
        let by_broker = brokers.is_some();
        Self { id: letter.message_id.clone(), reason: brokers.or(own), by_broker }
    }
}
