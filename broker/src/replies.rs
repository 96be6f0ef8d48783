//! Answers to a door that waits: a queue of its own, an exchange that leads there, and a sender that never holds work up.
//!
//! An answer is a courtesy: what it says stands in the ledger as well. So answers are neither stored nor confirmed, and one
//! that can't be sent at once is dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};
use millrace_contracts::{JobId, topology};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::connection::{Connection, ConnectionStatus, refusal};

/// What every door's queue is called, up to its own part; a door's broker user must be allowed to configure, write and
/// read queues of this name.
pub const QUEUE_PREFIX: &str = "replies.";
const TRANSIENT: u8 = 1;
/// So many answers wait to be sent; more are dropped.
const UNSENT_MAX: usize = 1024;
/// After trouble with a channel; a refusal for good is not mended by asking more often.
const PAUSE: Duration = Duration::from_millis(500);
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// Where an answer is sent: a door's queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyAddress(String);

impl ReplyAddress {
    /// An address that came with a message; `None` where it can't be a door's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let own = text.strip_prefix(QUEUE_PREFIX)?;
        Uuid::try_parse(own).ok().map(|_| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Jobs that are waited for. A job may be waited for more than once.
type Waiting = HashMap<JobId, Vec<oneshot::Sender<Bytes>>>;

/// A door's queue for answers. Cheap to clone; it exists as long as its link.
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
    /// A queue of a new name, consumed over this link and made again whenever it was lost.
    #[must_use]
    pub fn open(connection: &Connection) -> Self {
        let address = ReplyAddress(format!("{QUEUE_PREFIX}{}", Uuid::now_v7()));
        let replies = Self { address, state: Arc::default() };
        tokio::spawn(replies.clone().keep_open(connection.clone()));
        replies
    }

    /// From now on an answer about this job is kept for the one who asks; `None` while no answer could arrive.
    #[must_use]
    pub fn expect(&self, job: JobId) -> Option<PendingReply> {
        let (sender, answer) = oneshot::channel();
        let mut state = self.lock();
        if !state.open {
            return None;
        }
        state.waiting.entry(job).or_default().push(sender);
        Some(PendingReply { replies: self.clone(), job, answer })
    }

    /// Forgets those who no longer wait for this job.
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
            let pause = match connection.ask(&amqp, subscribe(&amqp, &self.address)).await {
                Some(Ok((_channel, deliveries))) => {
                    self.lock().open = true;
                    self.hand_out(deliveries).await;
                    // Whoever still waits learns from the ledger instead.
                    *self.lock() = State::default();
                    PAUSE
                }
                Some(Err(error)) => match refusal(&error) {
                    Some(reason) => {
                        tracing::warn!(
                            "The door has no queue for answers, so a job that is waited for is looked up in the \
                             ledger, which takes longer: {reason}. Its broker user needs the permissions to \
                             configure, write and read `^replies.*`"
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

    async fn hand_out(&self, mut deliveries: Consumer) {
        while let Some(Ok(delivery)) = deliveries.next().await {
            let job = delivery
                .properties
                .correlation_id()
                .as_ref()
                .and_then(|id| Uuid::try_parse(id.as_str()).ok());
            let waiting = job.and_then(|job| self.lock().waiting.remove(&JobId(job))).unwrap_or_default();
            let body = Bytes::from(delivery.data);
            for waiting in waiting {
                // Whoever asked may have stopped waiting.
                let _ = waiting.send(body.clone());
            }
        }
    }
}

/// An answer that is waited for, until this is dropped.
#[derive(Debug)]
pub struct PendingReply {
    replies: ReplyQueue,
    job: JobId,
    answer: oneshot::Receiver<Bytes>,
}

impl PendingReply {
    /// Where it is to be sent.
    #[must_use]
    pub fn address(&self) -> &ReplyAddress {
        &self.replies.address
    }

    /// Its body; `None` when the queue for answers is lost.
    pub async fn body(mut self) -> Option<Bytes> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        self.answer.close();
        self.replies.forget(self.job);
    }
}

async fn subscribe(amqp: &lapin::Connection, address: &ReplyAddress) -> lapin::Result<(Channel, Consumer)> {
    let channel = amqp.create_channel().await?;
    let queue = ShortString::from(address.as_str());
    // Exclusive: it goes with the connection, and nobody else may read it.
    let options =
        QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    channel.queue_declare(queue.clone(), options, arguments).await?;
    let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue.clone(), topology::REPLIES.into(), queue.clone(), bind, none).await?;
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

/// Sends answers, on a channel of its own. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Replier {
    unsent: mpsc::Sender<Unsent>,
}

impl Replier {
    /// A sender over this link.
    #[must_use]
    pub fn open(connection: &Connection) -> Self {
        let (sender, unsent) = mpsc::channel(UNSENT_MAX);
        tokio::spawn(send_all(connection.clone(), unsent));
        Self { unsent: sender }
    }

    /// Sends an answer about this job, or drops it where that would take time.
    pub fn send(&self, to: ReplyAddress, job: JobId, body: Vec<u8>) {
        if self.unsent.try_send(Unsent { to, job, body }).is_err() {
            tracing::debug!(job.id = %job, "An answer was dropped, as too many wait to be sent");
        }
    }
}

/// Sends answers until nobody has any more; what comes while there is no channel is dropped with those before it.
async fn send_all(connection: Connection, mut unsent: mpsc::Receiver<Unsent>) {
    let mut channel: Option<Channel> = None;
    while let Some(answer) = unsent.recv().await {
        if channel.as_ref().is_none_or(|channel| !channel.status().connected()) {
            let amqp = connection.current().borrow().clone();
            let Some(amqp) = amqp else { continue };
            channel = connection.ask(&amqp, amqp.create_channel()).await.and_then(Result::ok);
        }
        let Some(open) = &channel else { continue };
        let properties = BasicProperties::default()
            .with_correlation_id(ShortString::from(answer.job.to_string()))
            .with_content_type("application/json".into())
            .with_delivery_mode(TRANSIENT);
        let (exchange, key) = (topology::REPLIES.into(), ShortString::from(answer.to.as_str()));
        let sent =
            open.basic_publish(exchange, key, BasicPublishOptions::default(), &answer.body, properties).await;
        if let Err(error) = sent {
            tracing::debug!("An answer could not be sent: {error}");
            channel = None;
        }
    }
}
