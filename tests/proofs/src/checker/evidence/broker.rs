//! Looks into the broker: how many messages each queue holds, and what lies among the dead letters.

use std::time::Duration;

use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use millrace_contracts::Topology;
use millrace_contracts::catalog;
use millrace_contracts::topology::dead_queue;
use serde::Deserialize;
use url::Url;

use crate::checker::places::{self, Broker};
use crate::checker::settings::Settings;
use crate::checker::trouble::Trouble;

const DEADLINE: Duration = Duration::from_secs(10);

/// How full a queue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    pub name: String,
    pub ready: u64,
    pub unacked: u64,
}

/// One dead letter, as far as it tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub queue: String,
    pub message_id: String,
    pub message_type: String,
    pub class: String,
    pub reason: String,
    pub attempt: u64,
}

#[derive(Debug, Deserialize)]
struct Listed {
    name: String,
    #[serde(default)]
    messages_unacknowledged: u64,
    /// Their time on a rung is over, and the queue where they belong has not taken them yet.
    #[serde(default)]
    messages_dlx: u64,
}

/// Every queue of the topology. What is ready is counted by the broker now; what is unacknowledged or on its way from a rung
/// to a queue, some seconds ago.
pub async fn queues(settings: &Settings) -> Result<Vec<Queue>, Trouble> {
    let listed = listed(settings).await?;
    let broker = Broker::connect(&settings.amqp_url).await?;
    let mut queues = Vec::new();
    for name in Topology::of(catalog(), 1.0).queues {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared =
            broker.channel.queue_declare(ShortString::from(name.as_str()), passive, FieldTable::default());
        let ready = match tokio::time::timeout(DEADLINE, declared).await {
            Ok(declared) => declared.map_err(Trouble::broker("counting messages"))?.message_count().into(),
            Err(_) => return Err(silent("counting messages")),
        };
        let listed = listed.iter().find(|queue| queue.name == name);
        let unacked = listed.map_or(0, |queue| queue.messages_unacknowledged + queue.messages_dlx);
        queues.push(Queue { ready, unacked, name });
    }
    broker.close().await;
    Ok(queues)
}

async fn listed(settings: &Settings) -> Result<Vec<Listed>, Trouble> {
    let failed = || Trouble::broker("listing queues through the management API");
    let mut url: Url = settings.management_url.clone();
    url.path_segments_mut()
        .map_err(|()| Trouble::Broker {
            doing: "reading --management-url",
            reason: "it has no path".to_owned(),
        })?
        .pop_if_empty()
        .extend(["api", "queues", &settings.vhost]);
    url.set_query(Some("columns=name,messages_unacknowledged,messages_dlx"));
    // The client takes user and password from the URL.
    let response = places::http(DEADLINE)?.get(url).send().await;
    let response = response.and_then(reqwest::Response::error_for_status);
    let response = response.map_err(|error| failed()(error.without_url().to_string()))?;
    response.json().await.map_err(|error| failed()(error.without_url().to_string()))
}

/// Looks at every dead letter, and leaves all of them where they are.
pub async fn dead_letters(settings: &Settings) -> Result<Vec<Letter>, Trouble> {
    let broker = Broker::connect(&settings.amqp_url).await?;
    let mut letters = Vec::new();
    for queue in catalog().domains().iter().copied().map(dead_queue) {
        loop {
            let got = broker
                .channel
                .basic_get(ShortString::from(queue.as_str()), BasicGetOptions { no_ack: false });
            let got = match tokio::time::timeout(DEADLINE, got).await {
                Ok(got) => got.map_err(Trouble::broker("reading dead letters"))?,
                Err(_) => return Err(silent("reading dead letters")),
            };
            let Some(got) = got else { break };
            letters.push(letter(&queue, &got.delivery));
        }
    }
    // Closing gives back what was not acknowledged, which is all of it.
    broker.close().await;
    Ok(letters)
}

fn letter(queue: &str, delivery: &lapin::message::Delivery) -> Letter {
    let text =
        |text: &Option<ShortString>| text.as_ref().map_or_else(String::new, |text| text.as_str().to_owned());
    let none = FieldTable::default();
    let headers = delivery.properties.headers().as_ref().unwrap_or(&none);
    let header = |name: &str| match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        _ => String::new(),
    };
    let attempt = match headers.inner().get("attempt") {
        Some(AMQPValue::LongUInt(attempt)) => u64::from(*attempt),
        Some(AMQPValue::LongLongInt(attempt)) => u64::try_from(*attempt).unwrap_or(0),
        Some(AMQPValue::LongInt(attempt)) => u64::try_from(*attempt).unwrap_or(0),
        _ => 0,
    };
    Letter {
        queue: queue.to_owned(),
        message_id: text(delivery.properties.message_id()),
        message_type: text(delivery.properties.kind()),
        class: header("failure-class"),
        reason: header("failure-reason"),
        attempt,
    }
}

fn silent(doing: &'static str) -> Trouble {
    Trouble::Broker { doing, reason: format!("no answer within {} s", DEADLINE.as_secs()) }
}
