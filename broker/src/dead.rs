//! Dead-letter queues for operators: shows what is in them, and publishes dead letters to their domain again.

use std::collections::{BTreeMap, BTreeSet};

use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use lapin::types::ShortString;
use millrace_protocol::DomainName;
use millrace_protocol::topology::dead_queue;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::connection::{Connection, ConnectionStatus};
use crate::publisher::{PublishError, Publisher};
use crate::topology::{Management, ManagementError};
use crate::wire::{Incoming, Outgoing};

/// How many messages are republished together.
const WINDOW: usize = 100;

/// The content of a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetters {
    /// The number of messages in the queue.
    pub total: u64,
    /// The oldest ones, up to the given limit.
    pub first: Vec<DeadLetter>,
}

/// What a dead letter's properties and headers say. A foreign message may have none of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message's id.
    pub message_id: Option<String>,
    /// The id of its job.
    pub job_id: Option<String>,
    /// The message's type, such as `uploads.store`.
    pub message_type: Option<String>,
    /// The name of a [`FailureClass`](crate::FailureClass), or `broker` where RabbitMQ itself dead-lettered the message.
    pub class: Option<String>,
    /// Why it was dead-lettered, as a sentence.
    pub reason: Option<String>,
    /// When it last failed (RFC 3339).
    pub failed_at: Option<String>,
    /// Worker, host and version of the process that dead-lettered it.
    pub failed_by: Option<String>,
    /// The number of the last attempt, from 1.
    pub attempt: Option<u64>,
}

/// Shows a domain's oldest dead letters, at most `limit` of them; `None` where the queue does not exist. They stay in the
/// queue, but the broker counts a delivery of each.
pub async fn peek(
    management: &Management,
    domain: DomainName,
    limit: usize,
) -> Result<Option<DeadLetters>, ManagementError> {
    let queue = dead_queue(domain);
    // Bodies are not needed, and the shortest that the API can truncate them to is one byte.
    let body = json!({ "count": limit, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 1 });
    let doing = format!("look into queue `{queue}`");
    let got: Option<Vec<Got>> = management.act("queues", &[&queue, "get"], &body, &doing).await?;
    Ok(got.map(|got| DeadLetters {
        total: got.last().map_or(0, |last| last.message_count) + got.len() as u64,
        first: got.into_iter().map(|got| got.properties.into()).collect(),
    }))
}

#[derive(Deserialize)]
struct Got {
    /// How many messages are in the queue behind this one.
    message_count: u64,
    properties: Properties,
}

/// The API writes an empty list where there are no properties.
#[derive(Deserialize)]
#[serde(untagged)]
enum Properties {
    Some {
        message_id: Option<String>,
        correlation_id: Option<String>,
        r#type: Option<String>,
        #[serde(default)]
        headers: BTreeMap<String, Value>,
    },
    None([(); 0]),
}

impl From<Properties> for DeadLetter {
    fn from(properties: Properties) -> Self {
        let Properties::Some { message_id, correlation_id, r#type, headers } = properties else {
            return Self::default();
        };
        let text = |name: &str| headers.get(name).and_then(Value::as_str).map(str::to_owned);
        // Where the broker dead-lettered the message itself, only its own header has the reason.
        let by_broker = || headers.get("x-death")?.get(0)?.get("reason")?.as_str().map(str::to_owned);
        let (class, reason) = match text("failure-class") {
            Some(class) => (Some(class), text("failure-reason")),
            None => (by_broker().map(|_| "broker".to_owned()), by_broker().map(|it| explained(&it))),
        };
        Self {
            message_id,
            job_id: correlation_id,
            message_type: r#type,
            class,
            reason,
            failed_at: text("last-failed-at"),
            failed_by: text("failed-by"),
            attempt: headers.get("attempt").and_then(Value::as_u64),
        }
    }
}

fn explained(reason: &str) -> String {
    match reason {
        "delivery_limit" => {
            "it was redelivered more often than the queue allows: look for workers that crash".to_owned()
        }
        "rejected" => "a consumer that is not a worker of this system rejected it".to_owned(),
        other => format!("the broker dead-lettered it: {other}"),
    }
}

/// Which dead letters to redrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All that are in the queue at the beginning.
    All,
    /// Those with these message ids.
    Ids(BTreeSet<String>),
}

impl Selection {
    fn includes(&self, incoming: &Incoming) -> bool {
        match self {
            Self::All => true,
            Self::Ids(ids) => incoming.claimed_id().is_some_and(|id| ids.contains(id)),
        }
    }
}

/// The result of a redrive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redriven {
    /// How many were published to the domain's queue and removed from the dead-letter queue.
    pub sent: u64,
    /// How many remain in the dead-letter queue.
    pub left: u64,
    /// Selected ids that are not in the dead-letter queue.
    pub missing: Vec<String>,
}

/// Why a redrive stopped. Dead letters that were not published are still in their queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedriveError {
    /// There is no connection; the status says why.
    #[error("{0}")]
    NotConnected(ConnectionStatus),
    /// The queue can't be read, or no longer; some messages may have been published.
    #[error("queue `{queue}` cannot be read: {reason}")]
    Unreadable {
        /// The queue's name.
        queue: String,
        /// The underlying error.
        reason: String,
    },
    /// The domain's queue did not accept a message.
    #[error("stopped after {sent} messages, because the next one was not published: {error}")]
    Unpublished {
        /// How many were published before.
        sent: u64,
        /// Why the next one was not.
        error: PublishError,
    },
}

/// Publishes selected dead letters to their domain's queue again. Each keeps its id, so that it takes effect at most once,
/// and begins with its first attempt. It leaves the dead-letter queue only after the broker has confirmed the copy; dead
/// letters that were not selected are requeued at the end.
///
/// Messages that arrive meanwhile are not considered, so one that fails again at once is not redriven twice.
pub async fn redrive(
    connection: &Connection,
    publisher: &Publisher,
    domain: DomainName,
    selection: &Selection,
) -> Result<Redriven, RedriveError> {
    let mut queue = Queue::open(connection, domain).await?;
    let mut done = Redriven::default();
    let mut seen = BTreeSet::new();
    loop {
        let Window { selected, other } = queue.window(selection).await?;
        done.left += other;
        if selected.is_empty() {
            break;
        }
        let copies = selected.iter().map(|incoming| Outgoing::redriven(incoming, domain)).collect();
        let sent = done.sent;
        publisher.publish(copies).await.map_err(|error| RedriveError::Unpublished { sent, error })?;
        for incoming in selected {
            queue.acknowledge(&incoming).await?;
            seen.extend(incoming.claimed_id().map(str::to_owned));
            done.sent += 1;
        }
    }
    queue.close().await?;
    if let Selection::Ids(ids) = selection {
        done.missing = ids.difference(&seen).cloned().collect();
    }
    Ok(done)
}

/// A dead-letter queue that is read once from front to end.
struct Queue {
    name: String,
    channel: Channel,
    /// How many messages are still to be read; unknown before the first.
    ahead: Option<u64>,
}

/// A number of messages that are republished together, and how many others were read with them.
struct Window {
    selected: Vec<Incoming>,
    other: u64,
}

impl Queue {
    async fn open(connection: &Connection, domain: DomainName) -> Result<Self, RedriveError> {
        let name = dead_queue(domain);
        let amqp = connection.connected().await.map_err(RedriveError::NotConnected)?;
        match amqp.create_channel().await {
            Ok(channel) => Ok(Self { name, channel, ahead: None }),
            Err(error) => Err(RedriveError::Unreadable { queue: name, reason: error.to_string() }),
        }
    }

    /// Reads until enough messages are selected, or all that were there at the beginning have been read.
    async fn window(&mut self, selection: &Selection) -> Result<Window, RedriveError> {
        let mut window = Window { selected: Vec::new(), other: 0 };
        while window.selected.len() < WINDOW && self.ahead != Some(0) {
            let name = ShortString::from(self.name.as_str());
            let got = self.channel.basic_get(name, BasicGetOptions { no_ack: false }).await;
            let Some(got) = got.map_err(|error| self.unreadable(&error))? else {
                self.ahead = Some(0);
                break;
            };
            self.ahead = Some(self.ahead.map_or(got.message_count.into(), |ahead| ahead - 1));
            let incoming = Incoming::from_delivery(got.delivery);
            match selection.includes(&incoming) {
                true => window.selected.push(incoming),
                false => window.other += 1,
            }
        }
        Ok(window)
    }

    async fn acknowledge(&self, incoming: &Incoming) -> Result<(), RedriveError> {
        let acknowledged = self.channel.basic_ack(incoming.delivery_tag, BasicAckOptions::default()).await;
        acknowledged.map_err(|error| self.unreadable(&error))
    }

    /// Closes the channel: the broker processes all acknowledgements before it, and requeues what is unacknowledged.
    async fn close(self) -> Result<(), RedriveError> {
        self.channel.close(200, "done".into()).await.map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &lapin::Error) -> RedriveError {
        RedriveError::Unreadable { queue: self.name.clone(), reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests;
