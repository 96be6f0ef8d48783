//! What is broken, and how it is mended.

use std::time::Duration;

use millrace_testkit::services::Server;
use millrace_testkit::stack::servers::{Alarm, Ending, Policy};

use crate::siege::amqp::{Amqp, apply_topology};
use crate::siege::stage::{Broken, PAUSE, Stage};

/// How long a change of a table waits for those who use it before it is tried again.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '2s'";
const PATIENT_TRIES: usize = 30;
/// By then the doors have noticed a frozen database with their own question.
const NOTICED: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    BrokerStopped,
    BrokerFrozen,
    BrokerBlocked,
    QueuesFull,
    NoExchange,
    DatabaseStopped,
    DatabaseFrozen,
    NotMigrated,
    NoKeys,
    StatementFails,
}

/// What mends it.
#[derive(Debug)]
pub struct Undo(Vec<Policy>);

impl Trouble {
    pub const ALL: [Self; 10] = [
        Self::QueuesFull,
        Self::NoExchange,
        Self::BrokerBlocked,
        Self::BrokerFrozen,
        Self::BrokerStopped,
        Self::NotMigrated,
        Self::NoKeys,
        Self::StatementFails,
        Self::DatabaseFrozen,
        Self::DatabaseStopped,
    ];

    pub fn is_of_broker(self) -> bool {
        use Trouble as T;
        matches!(self, T::BrokerStopped | T::BrokerFrozen | T::BrokerBlocked | T::QueuesFull | T::NoExchange)
    }

    pub async fn begin(self, stage: &mut Stage) -> Result<Undo, Broken> {
        let mut undo = Undo(Vec::new());
        let servers = &mut stage.stack.servers;
        match self {
            Self::BrokerStopped => servers.end(Server::Broker, Ending::Stop).await?,
            Self::BrokerFrozen => servers.freeze(Server::Broker)?,
            Self::BrokerBlocked => servers.raise(Alarm::Memory).await?,
            Self::QueuesFull => {
                // Whoever works would make room again.
                stage.stop_workers().await?;
                for domain in millrace_contracts::catalog().domains().iter().copied() {
                    undo.0.push(stage.stack.servers.fill(domain.as_str()).await?);
                }
                fill_up(stage).await?;
            }
            Self::NoExchange => {
                let amqp = Amqp::open(servers).await?;
                amqp.delete_exchange(millrace_contracts::topology::COMMANDS).await?;
                amqp.close().await?;
            }
            Self::DatabaseStopped => servers.end(Server::Database, Ending::Stop).await?,
            Self::DatabaseFrozen => {
                servers.freeze(Server::Database)?;
                tokio::time::sleep(NOTICED).await;
            }
            Self::NotMigrated => change(stage, "ALTER TABLE ledger.entries RENAME TO entries_away").await?,
            Self::NoKeys => change(stage, "ALTER TABLE auth.api_keys RENAME TO api_keys_away").await?,
            Self::StatementFails => {
                change(stage, "ALTER TABLE ledger.entries RENAME COLUMN attempts TO attempts_away").await?;
            }
        }
        Ok(undo)
    }

    pub async fn end(self, stage: &mut Stage, undo: Undo) -> Result<(), Broken> {
        let servers = &mut stage.stack.servers;
        match self {
            Self::BrokerStopped => servers.start_again(Server::Broker).await?,
            Self::BrokerFrozen => servers.thaw(Server::Broker)?,
            Self::BrokerBlocked => servers.lift(Alarm::Memory).await?,
            Self::QueuesFull => {
                for policy in &undo.0 {
                    servers.put_policy(policy).await?;
                }
                stage.start_workers().await?;
            }
            Self::NoExchange => apply_topology(servers).await?,
            Self::DatabaseStopped => servers.start_again(Server::Database).await?,
            Self::DatabaseFrozen => servers.thaw(Server::Database)?,
            Self::NotMigrated => change(stage, "ALTER TABLE ledger.entries_away RENAME TO entries").await?,
            Self::NoKeys => change(stage, "ALTER TABLE auth.api_keys_away RENAME TO api_keys").await?,
            Self::StatementFails => {
                change(stage, "ALTER TABLE ledger.entries RENAME COLUMN attempts_away TO attempts").await?;
            }
        }
        Ok(())
    }
}

/// Puts something into every queue, as an empty one takes a message even if it may hold but one.
async fn fill_up(stage: &Stage) -> Result<(), Broken> {
    let amqp = Amqp::open(&stage.stack.servers).await?;
    for domain in millrace_contracts::catalog().domains().iter().copied() {
        for _ in 0..3 {
            amqp.put(domain.as_str()).await?;
        }
    }
    amqp.close().await
}

/// Waiting for a lock in one go would hold up everybody behind it.
async fn change(stage: &Stage, statement: &'static str) -> Result<(), Broken> {
    let mut session = stage.stack.servers.session().await?;
    sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut session).await?;
    let mut tries = 0;
    while let Err(error) = sqlx::raw_sql(statement).execute(&mut session).await {
        tries += 1;
        if tries > PATIENT_TRIES {
            return Err(error.into());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
