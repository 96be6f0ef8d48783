//! Dead-letter queues as an operator uses them: looking at what is in them, and sending it to its domain again.

use std::collections::{BTreeMap, BTreeSet};

use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use lapin::types::ShortString;
use millrace_contracts::Domain;
use millrace_contracts::topology::dead_queue;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::connection::{Connection, ConnectionStatus};
use crate::publisher::{PublishError, Publisher};
use crate::topology::{Management, ManagementError};
use crate::wire::{Incoming, Outgoing};

/// How many messages are on their way to a domain at once.
const WINDOW: usize = 100;

/// What a dead-letter queue holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetters {
    /// How many there are.
    pub total: u64,
    /// The first of them.
    pub first: Vec<DeadLetter>,
}

/// One message that was given up, as far as it tells of itself; a foreign one may tell nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub message_id: Option<String>,
    /// The job that it belongs to.
    pub job_id: Option<String>,
    /// Its type.
    pub message_type: Option<String>,
    /// Which kind of trouble it had.
    pub class: Option<String>,
    /// What happened, as a sentence.
    pub reason: Option<String>,
    /// When it failed last.
    pub failed_at: Option<String>,
    /// Who gave it up.
    pub failed_by: Option<String>,
    /// Which attempt was the last.
    pub attempt: Option<u64>,
}

/// Looks at a domain's dead letters, at most `limit` of them. They stay where they are, but the broker counts it as a
/// return of each; `None` where the queue does not exist.
pub async fn peek(
    management: &Management,
    domain: Domain,
    limit: usize,
) -> Result<Option<DeadLetters>, ManagementError> {
    let queue = dead_queue(domain);
    // Nobody needs the bodies here, and the API knows no "none of it".
    let body = json!({ "count": limit, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 1 });
    let doing = format!("look into queue `{queue}`");
    let got: Option<Vec<Got>> = management.ask("queues", &[&queue, "get"], &body, &doing).await?;
    Ok(got.map(|got| DeadLetters {
        total: got.last().map_or(0, |last| last.message_count) + got.len() as u64,
        first: got.into_iter().map(|got| got.properties.into()).collect(),
    }))
}

#[derive(Deserialize)]
struct Got {
    /// How many are in the queue behind this one.
    message_count: u64,
    properties: Properties,
}

/// The API writes properties without any as an empty list.
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
        // Where the broker itself gave a message up, only the broker's own header tells why.
        let given_up = || headers.get("x-death")?.get(0)?.get("reason")?.as_str().map(str::to_owned);
        let (class, reason) = match text("failure-class") {
            Some(class) => (Some(class), text("failure-reason")),
            None => (given_up().map(|_| "broker".to_owned()), given_up().map(|it| by_broker(&it))),
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

fn by_broker(reason: &str) -> String {
    match reason {
        "delivery_limit" => {
            "it came back from workers more often than the queue allows: look for crashes".to_owned()
        }
        "rejected" => "a consumer that is not one of our workers rejected it".to_owned(),
        other => format!("the broker gave it up: {other}"),
    }
}

/// Which dead letters to send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All that are there now.
    All,
    /// The ones with these message ids.
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

/// What became of a dead-letter queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Sent to the domain's queue, and gone from here.
    pub sent: u64,
    /// Still here.
    pub left: u64,
    /// Ids that were asked for and are not here.
    pub missing: Vec<String>,
}

/// Why dead letters were not (all) sent again. Those that were not are still in their queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedriveError {
    /// No connection.
    #[error("{0}")]
    NotConnected(ConnectionStatus),
    /// The queue can't be read, or no longer; some messages may have been sent.
    #[error("queue `{queue}` can't be read: {reason}")]
    Unreadable {
        /// The queue.
        queue: String,
        /// What happened.
        reason: String,
    },
    /// The domain's queue did not take a message.
    #[error("{sent} were sent, then one was not, and it stays with the rest: {error}")]
    Unpublished {
        /// How many were sent before.
        sent: u64,
        /// Why the next one was not.
        error: PublishError,
    },
}

/// Sends a domain's dead letters to its queue again, each with all its attempts before it and under the same id, so that
/// it takes effect at most once. What is selected is taken from its queue only after the broker has confirmed the copy;
/// what is not goes back when this is done.
///
/// Only what is there at the beginning is looked at: a message that fails again at once is not sent again and again.
pub async fn redrive(
    connection: &Connection,
    publisher: &Publisher,
    domain: Domain,
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

/// A dead-letter queue that is gone through once.
struct Queue {
    name: String,
    channel: Channel,
    /// How many messages are still to be looked at; not known before the first.
    ahead: Option<u64>,
}

/// A stretch of a queue.
struct Window {
    selected: Vec<Incoming>,
    other: u64,
}

impl Queue {
    async fn open(connection: &Connection, domain: Domain) -> Result<Self, RedriveError> {
        let name = dead_queue(domain);
        let amqp = connection.connected().await.map_err(RedriveError::NotConnected)?;
        match amqp.create_channel().await {
            Ok(channel) => Ok(Self { name, channel, ahead: None }),
            Err(error) => Err(RedriveError::Unreadable { queue: name, reason: error.to_string() }),
        }
    }

    /// Goes on until enough messages are selected, or all that were there at the beginning have been looked at.
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

    /// Gives back what was not acknowledged, and waits until all acknowledgements before it have been taken.
    async fn close(self) -> Result<(), RedriveError> {
        self.channel.close(200, "done".into()).await.map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &lapin::Error) -> RedriveError {
        RedriveError::Unreadable { queue: self.name.clone(), reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests;
