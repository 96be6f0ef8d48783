//! Looks into the broker: how many messages each queue holds, and what lies among the dead letters.

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use millrace_contracts::catalog;
use millrace_protocol::topology::Topology;
use millrace_protocol::topology::dead_queue;
use millrace_testkit::services::management;
use serde::Deserialize;
use uuid::Uuid;

use super::Digest;

use crate::checker::options::Endpoints;
use crate::connections::Broker;
use crate::error::Error;

const DEADLINE: Duration = Duration::from_secs(10);

/// How full a queue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    pub name: String,
    pub ready: u64,
    pub unacked: u64,
}

/// A message as it lies in a queue, as far as it tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub queue: String,
    pub message_id: String,
    pub message_type: String,
    pub job_id: String,
    pub body: Digest,
    /// Why it is dead, in one word and in a sentence.
    pub class: String,
    pub reason: String,
    pub attempt: u64,
}

#[derive(Debug, Deserialize)]
struct Listed {
    name: String,
    #[serde(default)]
    messages_unacknowledged: u64,
    /// Their time in a delay queue is over, and the queue where they belong has not taken them yet.
    #[serde(default)]
    messages_dlx: u64,
}

/// Every queue of the topology. What is ready is counted by the broker now; what is unacknowledged or on its way from a delay queue
/// to a queue, some seconds ago.
pub async fn queues(endpoints: &Endpoints) -> Result<Vec<Queue>, Error> {
    let path = format!("queues/{}?columns=name,messages_unacknowledged,messages_dlx", endpoints.vhost);
    let listed = management::get(endpoints.management_url.as_str(), &path).await?;
    let listed: Vec<Listed> = serde_json::from_value(listed).map_err(Error::doing("listing queues"))?;
    let broker = Broker::connect(endpoints.amqp_url.as_str()).await?;
    let mut queues = Vec::new();
    for name in Topology::of(catalog(), 1.0).queues {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared =
            broker.channel.queue_declare(ShortString::from(name.as_str()), passive, FieldTable::default());
        let ready = in_time("counting messages", declared).await?.message_count().into();
        let listed = listed.iter().find(|queue| queue.name == name);
        let unacked = listed.map_or(0, |queue| queue.messages_unacknowledged + queue.messages_dlx);
        queues.push(Queue { ready, unacked, name });
    }
    broker.close().await;
    Ok(queues)
}

/// Looks at every dead letter, and leaves all of them where they are.
pub async fn dead_letters(endpoints: &Endpoints) -> Result<Vec<Letter>, Error> {
    let broker = Broker::connect(endpoints.amqp_url.as_str()).await?;
    let mut letters = Vec::new();
    for queue in catalog().domains().iter().copied().map(dead_queue) {
        loop {
            let got = broker
                .channel
                .basic_get(ShortString::from(queue.as_str()), BasicGetOptions { no_ack: false });
            let Some(got) = in_time("reading dead letters", got).await? else { break };
            letters.push(Letter::read(&queue, &got.delivery));
        }
    }
    // Closing gives back what was not acknowledged, which is all of it.
    broker.close().await;
    Ok(letters)
}

impl Letter {
    /// Reads it as it was delivered from this queue.
    pub fn read(queue: &str, delivery: &Delivery) -> Self {
        let text = |text: &Option<ShortString>| text.as_ref().map_or_else(String::new, ToString::to_string);
        let properties = &delivery.properties;
        let none = FieldTable::default();
        let headers = properties.headers().as_ref().unwrap_or(&none).inner();
        let header = |name: &str| match headers.get(name) {
            Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
            _ => String::new(),
        };
        Self {
            queue: queue.to_owned(),
            message_id: text(properties.message_id()),
            message_type: text(properties.kind()),
            job_id: text(properties.correlation_id()),
            body: Digest::of(&delivery.data),
            class: header("failure-class"),
            reason: header("failure-reason"),
            attempt: match headers.get("attempt") {
                Some(AMQPValue::LongUInt(attempt)) => u64::from(*attempt),
                Some(AMQPValue::LongLongInt(attempt)) => u64::try_from(*attempt).unwrap_or(0),
                Some(AMQPValue::LongInt(attempt)) => u64::try_from(*attempt).unwrap_or(0),
                _ => 0,
            },
        }
    }

    pub fn id(&self) -> Option<Uuid> {
        self.message_id.parse().ok()
    }
}

async fn in_time<T>(doing: &'static str, asked: impl Future<Output = lapin::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(answer) => answer.map_err(Error::doing(doing)),
        Err(_) => Err(Error::late(format!("the broker's answer when {doing}"), DEADLINE, "nothing")),
    }
}
