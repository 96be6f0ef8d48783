//! Replies to an API process whose client waits for a job: the process has a queue of its own on the exchange `replies`, and
//! the worker sends the job's row there.
//!
//! Replies save time and are never needed: the ledger has the same content. They are therefore neither persistent nor
//! confirmed, and a reply that can't be sent at once is dropped, so that it never delays a worker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};
use millrace_faults::{Task, task};
use millrace_protocol::{JobId, exchanges};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::connection::{Connection, ConnectionStatus, refusal};

/// The name of a reply queue is this prefix and a UUID. The API's broker user needs the permissions to configure, write and
/// read queues with this prefix.
const QUEUE_PREFIX: &str = "replies.";
const TRANSIENT: u8 = 1;
/// How many replies may wait to be sent; further ones are dropped.
const UNSENT_MAX: usize = 1024;
/// Before the queue is declared again after it was lost.
const PAUSE: Duration = Duration::from_millis(500);
/// The same after the broker has refused it: only a person can change permissions.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// The reply queue that a message names in its property `reply_to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyAddress(String);

impl ReplyAddress {
    /// Parses a `reply_to`. Gives `None` for anything but the name of a reply queue, so that a foreign sender can't direct
    /// replies to other queues.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let own = text.strip_prefix(QUEUE_PREFIX)?;
        Uuid::try_parse(own).ok().map(|_| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Those who wait, by job. Several may wait for the same job.
type Waiting = HashMap<JobId, Vec<oneshot::Sender<Bytes>>>;

/// An exclusive queue for replies. Clones share it, and it exists as long as its connection.
#[derive(Debug, Clone)]
pub struct ReplyQueue {
    address: ReplyAddress,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    waiting: Waiting,
}

impl ReplyQueue {
    /// Declares a queue with a new name and consumes it in a task of its own; after a lost connection, the task declares it
    /// again. Needs a running Tokio runtime.
    #[must_use]
    pub fn open(connection: &Connection) -> Self {
        let address = ReplyAddress(format!("{QUEUE_PREFIX}{}", Uuid::now_v7()));
        let replies = Self { address, state: Arc::default() };
        tokio::spawn(task(Task::ReplyQueue, replies.clone().keep_open(connection.clone())));
        replies
    }

    /// Starts waiting for a reply about this job. Gives `None` while there is no queue at which a reply could arrive.
    #[must_use]
    pub fn expect_reply(&self, job: JobId) -> Option<PendingReply> {
        let (sender, reply) = oneshot::channel();
        let mut state = self.lock();
        if !state.open {
            return None;
        }
        state.waiting.entry(job).or_default().push(sender);
        Some(PendingReply { replies: self.clone(), job, reply })
    }

    /// Removes those who no longer wait for this job.
    fn forget(&self, job: JobId) {
        let mut state = self.lock();
        if let Some(waiting) = state.waiting.get_mut(&job) {
            waiting.retain(|waiting| !waiting.is_closed());
            if waiting.is_empty() {
                state.waiting.remove(&job);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_open(self, connection: Connection) {
        let (mut current, mut status) = (connection.current(), connection.status());
        loop {
            let amqp = tokio::select! {
                amqp = current.wait_for(Option::is_some) => amqp.ok().and_then(|it| it.clone()),
                _ = status.wait_for(|status| *status == ConnectionStatus::Closed) => None,
            };
            let Some(amqp) = amqp else { return };
            let pause = match connection.request(&amqp, subscribe(&amqp, &self.address)).await {
                Some(Ok((_channel, deliveries))) => {
                    self.lock().open = true;
                    self.deliver(deliveries).await;
                    // Those who still wait get no reply and read the ledger instead.
                    *self.lock() = State::default();
                    PAUSE
                }
                Some(Err(error)) => match refusal(&error) {
                    Some(reason) => {
                        tracing::warn!(
                            "There is no reply queue, so clients that wait for a job are answered from the ledger, \
                             which takes longer: {reason}. This broker user needs the permissions to configure, \
                             write and read `^replies.*`"
                        );
                        REFUSED_PAUSE
                    }
                    None => PAUSE,
                },
                None => PAUSE,
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn deliver(&self, mut deliveries: Consumer) {
        while let Some(Ok(delivery)) = deliveries.next().await {
            let job = delivery
                .properties
                .correlation_id()
                .as_ref()
                .and_then(|id| Uuid::try_parse(id.as_str()).ok());
            let waiting = job.and_then(|job| self.lock().waiting.remove(&JobId(job))).unwrap_or_default();
            let body = Bytes::from(delivery.data);
            for waiting in waiting {
                // It may have stopped waiting.
                let _ = waiting.send(body.clone());
            }
        }
    }
}

/// A reply that is awaited until this is dropped.
#[derive(Debug)]
pub struct PendingReply {
    replies: ReplyQueue,
    job: JobId,
    reply: oneshot::Receiver<Bytes>,
}

impl PendingReply {
    /// The address for [`crate::Outgoing::with_reply_to`].
    #[must_use]
    pub fn address(&self) -> &ReplyAddress {
        &self.replies.address
    }

    /// Waits for the reply and gives its body; `None` when the queue is lost first. Has no deadline.
    pub async fn body(mut self) -> Option<Bytes> {
        (&mut self.reply).await.ok()
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        self.reply.close();
        self.replies.forget(self.job);
    }
}

async fn subscribe(amqp: &lapin::Connection, address: &ReplyAddress) -> lapin::Result<(Channel, Consumer)> {
    let channel = amqp.create_channel().await?;
    let queue = ShortString::from(address.as_str());
    // Exclusive: the broker deletes it with the connection and lets no other connection read it.
    let options =
        QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    channel.queue_declare(queue.clone(), options, arguments).await?;
    let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue.clone(), exchanges::REPLIES.into(), queue.clone(), bind, none).await?;
    let consume = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
    let deliveries = channel.basic_consume(queue.clone(), queue, consume, FieldTable::default()).await?;
    Ok((channel, deliveries))
}

#[derive(Debug)]
struct Unsent {
    to: ReplyAddress,
    job: JobId,
    body: Vec<u8>,
}

/// Sends replies on a channel of its own. Clones share it.
#[derive(Debug, Clone)]
pub struct Replier {
    unsent: mpsc::Sender<Unsent>,
}

impl Replier {
    /// Starts a task that sends replies until the last clone is dropped. Needs a running Tokio runtime.
    #[must_use]
    pub fn open(connection: &Connection) -> Self {
        let (sender, unsent) = mpsc::channel(UNSENT_MAX);
        tokio::spawn(task(Task::Replier, send_all(connection.clone(), unsent)));
        Self { unsent: sender }
    }

    /// Sends a reply about this job without waiting. It is dropped while there is no connection, or when 1024 others wait.
    pub fn send(&self, to: ReplyAddress, job: JobId, body: Vec<u8>) {
        if self.unsent.try_send(Unsent { to, job, body }).is_err() {
            tracing::debug!(job.id = %job, "A reply was dropped because too many are waiting to be sent");
        }
    }
}

/// Sends replies until the last [`Replier`] is dropped. Without a channel, replies are dropped.
async fn send_all(connection: Connection, mut unsent: mpsc::Receiver<Unsent>) {
    let mut channel: Option<Channel> = None;
    while let Some(reply) = unsent.recv().await {
        if channel.as_ref().is_none_or(|channel| !channel.status().connected()) {
            let amqp = connection.current().borrow().clone();
            let Some(amqp) = amqp else { continue };
            channel = connection.request(&amqp, amqp.create_channel()).await.and_then(Result::ok);
        }
        let Some(open) = &channel else { continue };
        let properties = BasicProperties::default()
            .with_correlation_id(ShortString::from(reply.job.to_string()))
            .with_content_type("application/json".into())
            .with_delivery_mode(TRANSIENT);
        let (exchange, key) = (exchanges::REPLIES.into(), ShortString::from(reply.to.as_str()));
        let sent =
            open.basic_publish(exchange, key, BasicPublishOptions::default(), &reply.body, properties).await;
        if let Err(error) = sent {
            tracing::debug!("A reply could not be sent: {error}");
            channel = None;
        }
    }
}
