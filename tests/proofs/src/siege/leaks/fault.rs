//! The faults, and how each is healed.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, ExchangeDeleteOptions};
use millrace_testkit::services::Server;
use millrace_testkit::stack::servers::{Alarm, Ending, Policy};

use crate::connections::Broker;
use crate::error::Error;
use crate::siege::target::{STOP_PATIENCE, Target};

/// By then the API's own health query has noticed a frozen database.
const NOTICED: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
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

/// What is needed to heal a fault.
#[derive(Debug)]
pub struct Undo(Vec<Policy>);

impl Fault {
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
        use Fault as T;
        matches!(self, T::BrokerStopped | T::BrokerFrozen | T::BrokerBlocked | T::QueuesFull | T::NoExchange)
    }

    pub async fn begin(self, target: &mut Target) -> Result<Undo, Error> {
        let mut undo = Undo(Vec::new());
        let servers = &mut target.stack.servers;
        match self {
            Self::BrokerStopped => servers.end(Server::Broker, Ending::Stop).await?,
            Self::BrokerFrozen => servers.freeze(Server::Broker)?,
            Self::BrokerBlocked => servers.raise(Alarm::Memory).await?,
            Self::QueuesFull => {
                // Running workers would make room again.
                target.stack.units.stop_workers(STOP_PATIENCE).await?;
                for domain in millrace_contracts::catalog().domains().iter().copied() {
                    undo.0.push(target.stack.servers.fill(domain.as_str()).await?);
                }
                fill_up(target).await?;
            }
            Self::NoExchange => {
                let broker = Broker::connect(&servers.amqp_url).await?;
                let exchange = millrace_protocol::exchanges::COMMANDS;
                broker.channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await?;
                broker.close().await;
            }
            Self::DatabaseStopped => servers.end(Server::Database, Ending::Stop).await?,
            Self::DatabaseFrozen => {
                servers.freeze(Server::Database)?;
                tokio::time::sleep(NOTICED).await;
            }
            Self::NotMigrated => servers.alter("ALTER TABLE ledger.entries RENAME TO entries_away").await?,
            Self::NoKeys => servers.alter("ALTER TABLE auth.api_keys RENAME TO api_keys_away").await?,
            Self::StatementFails => {
                servers.alter("ALTER TABLE ledger.entries RENAME COLUMN attempts TO attempts_away").await?;
            }
        }
        Ok(undo)
    }

    pub async fn end(self, target: &mut Target, undo: Undo) -> Result<(), Error> {
        let servers = &mut target.stack.servers;
        match self {
            Self::BrokerStopped => servers.start_again(Server::Broker).await?,
            Self::BrokerFrozen => servers.thaw(Server::Broker)?,
            Self::BrokerBlocked => servers.lift(Alarm::Memory).await?,
            Self::QueuesFull => {
                for policy in &undo.0 {
                    servers.put_policy(policy).await?;
                }
                target.stack.start_workers().await?;
            }
            Self::NoExchange => target.stack.prepare()?,
            Self::DatabaseStopped => servers.start_again(Server::Database).await?,
            Self::DatabaseFrozen => servers.thaw(Server::Database)?,
            Self::NotMigrated => servers.alter("ALTER TABLE ledger.entries_away RENAME TO entries").await?,
            Self::NoKeys => servers.alter("ALTER TABLE auth.api_keys_away RENAME TO api_keys").await?,
            Self::StatementFails => {
                servers.alter("ALTER TABLE ledger.entries RENAME COLUMN attempts_away TO attempts").await?;
            }
        }
        Ok(())
    }
}

/// Fills every queue with what no worker can read: an empty one accepts a message even at a limit of one.
async fn fill_up(target: &Target) -> Result<(), Error> {
    let broker = Broker::connect(&target.stack.servers.amqp_url).await?;
    for domain in millrace_contracts::catalog().domains().iter().copied() {
        for _ in 0..3 {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            let queue = domain.as_str().into();
            broker.channel.basic_publish("".into(), queue, options, b"unreadable", properties).await?;
        }
    }
    broker.close().await;
    Ok(())
}
