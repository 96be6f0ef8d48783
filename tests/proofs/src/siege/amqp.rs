//! Our own way to the broker: what lies in queues, emptying them, and taking an exchange away.

use lapin::options::{BasicGetOptions, BasicPublishOptions, ExchangeDeleteOptions, QueuePurgeOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use millrace_broker::topology::{self, Management};
use millrace_testkit::stack::servers::Servers;
use url::Url;

use crate::siege::stage::{Broken, RETRY_SCALE};

/// A connection of our own. What it has looked at goes back when it is dropped.
#[derive(Debug)]
pub struct Amqp {
    connection: Connection,
    channel: Channel,
}

impl Amqp {
    pub async fn open(servers: &Servers) -> Result<Self, Broken> {
        let connection = Connection::connect(&servers.amqp_url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok(Self { connection, channel })
    }

    /// Everything of every message that is ready in a queue, as text. The messages stay there.
    pub async fn read(&self, queue: &str) -> Result<Vec<String>, Broken> {
        let mut messages = Vec::new();
        while let Some(message) = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await? {
            let body = String::from_utf8_lossy(&message.delivery.data).into_owned();
            messages
                .push(format!("{:?} {} {body}", message.delivery.properties, message.delivery.routing_key));
        }
        Ok(messages)
    }

    /// Puts a message in that no worker can read.
    pub async fn put(&self, queue: &str) -> Result<(), Broken> {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        self.channel.basic_publish("".into(), queue.into(), options, b"unreadable", properties).await?;
        Ok(())
    }

    pub async fn purge(&self, queue: &str) -> Result<u32, Broken> {
        Ok(self.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await?)
    }

    pub async fn delete_exchange(&self, exchange: &str) -> Result<(), Broken> {
        Ok(self.channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await?)
    }

    /// Ends it; only then may others have what was looked at.
    pub async fn close(self) -> Result<(), Broken> {
        Ok(self.connection.close(200, "done".into()).await?)
    }
}

/// Makes exchanges, queues and bindings as they must be.
pub async fn apply_topology(servers: &Servers) -> Result<(), Broken> {
    let failed = |error: &dyn std::fmt::Display| Broken::Topology(error.to_string());
    let url = Url::parse(&servers.management_url).map_err(|error| failed(&error))?;
    let management = Management::new(&url, servers.vhost).map_err(|error| failed(&error))?;
    let topology = millrace_contracts::topology::Topology::of(millrace_contracts::catalog(), RETRY_SCALE);
    topology::apply(&management, &topology, |_| {}).await.map_err(|error| failed(&error))?;
    Ok(())
}
