//! A connection of the proof's own to the broker: reads and purges queues, and deletes an exchange.

use lapin::options::{BasicGetOptions, BasicPublishOptions, ExchangeDeleteOptions, QueuePurgeOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use millrace_testkit::stack::servers::Servers;

use crate::error::Error;

/// Messages that were read return to their queues when this is dropped.
#[derive(Debug)]
pub struct Amqp {
    connection: Connection,
    channel: Channel,
}

impl Amqp {
    pub async fn open(servers: &Servers) -> Result<Self, Error> {
        let connection = Connection::connect(&servers.amqp_url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok(Self { connection, channel })
    }

    /// Properties and bodies of all ready messages of a queue, as text. The messages stay there.
    pub async fn read(&self, queue: &str) -> Result<Vec<String>, Error> {
        let mut messages = Vec::new();
        while let Some(message) = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await? {
            let body = String::from_utf8_lossy(&message.delivery.data).into_owned();
            messages
                .push(format!("{:?} {} {body}", message.delivery.properties, message.delivery.routing_key));
        }
        Ok(messages)
    }

    /// Publishes a message that no worker can read.
    pub async fn put(&self, queue: &str) -> Result<(), Error> {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        self.channel.basic_publish("".into(), queue.into(), options, b"unreadable", properties).await?;
        Ok(())
    }

    pub async fn purge(&self, queue: &str) -> Result<u32, Error> {
        Ok(self.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await?)
    }

    pub async fn delete_exchange(&self, exchange: &str) -> Result<(), Error> {
        Ok(self.channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await?)
    }

    /// Closes the connection, which returns what was read.
    pub async fn close(self) -> Result<(), Error> {
        Ok(self.connection.close(200, "done".into()).await?)
    }
}
