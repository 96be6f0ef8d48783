//! Consuming a queue over one channel: whatever is there is taken as a batch, and a batch is acknowledged as one.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};

use crate::connection::{Connection, refusal};
use crate::wire::Incoming;

/// How long the broker may take to let go of a subscription or a channel.
const GOODBYE_DEADLINE: Duration = Duration::from_secs(5);

/// How a queue is consumed.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    /// The queue.
    pub queue: &'static str,
    /// Shown in the console: which worker, where, which version.
    pub tag: String,
    /// How many deliveries the broker sends ahead. The only bound on what waits in memory.
    pub prefetch: u16,
}

/// Why a queue can't be consumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// The broker refuses for a reason that waiting won't mend.
    #[error("the broker refuses to let queue `{queue}` be consumed: {reason}")]
    Misconfigured {
        /// The queue.
        queue: &'static str,
        /// The broker's words.
        reason: String,
    },
    /// The connection, the channel or the queue is not there.
    #[error("queue `{queue}` can't be consumed now: {reason}")]
    Unavailable {
        /// The queue.
        queue: &'static str,
        /// What happened.
        reason: String,
    },
}

/// A subscription to a queue, on a channel of its own, so that "everything up to here" can be acknowledged at once.
pub struct Consumer {
    queue: &'static str,
    channel: Channel,
    deliveries: lapin::Consumer,
    /// lapin says only once that a subscription has ended, perhaps right behind a delivery.
    ended: bool,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Consumer({})", self.queue)
    }
}

impl Consumer {
    /// Waits for a connection and subscribes.
    pub async fn open(connection: &Connection, settings: &ConsumerSettings) -> Result<Self, ConsumeError> {
        let queue = settings.queue;
        let explain = |error: lapin::Error| match refusal(&error) {
            Some(reason) => ConsumeError::Misconfigured { queue, reason },
            None => ConsumeError::Unavailable { queue, reason: error.to_string() },
        };
        let gone = || ConsumeError::Unavailable { queue, reason: "the connection is closed".to_owned() };
        let mut current = connection.current();
        let amqp = current.wait_for(Option::is_some).await.map_err(|_| gone())?.clone();
        let amqp = amqp.ok_or_else(gone)?;
        let silent = || ConsumeError::Unavailable { queue, reason: "the broker does not answer".to_owned() };
        let subscribed = connection.ask(&amqp, subscribe(&amqp, settings)).await.ok_or_else(silent)?;
        let (channel, deliveries) = subscribed.map_err(explain)?;
        Ok(Self { queue, channel, deliveries, ended: false })
    }

    /// Takes what is there: at least one delivery, for which it waits, and at most `max`. `None` when the subscription
    /// has ended, be it that the connection broke, the queue was deleted or the subscription was cancelled.
    pub async fn next_batch(&mut self, max: usize) -> Option<Vec<Incoming>> {
        let mut batch = vec![self.next().await?];
        while batch.len() < max {
            match self.next().now_or_never() {
                Some(Some(incoming)) => batch.push(incoming),
                Some(None) | None => break,
            }
        }
        Some(batch)
    }

    async fn next(&mut self) -> Option<Incoming> {
        if self.ended {
            return None;
        }
        match self.deliveries.next().await {
            Some(Ok(delivery)) => return Some(Incoming::from_delivery(delivery)),
            Some(Err(error)) => tracing::warn!(queue = self.queue, "The subscription has ended: {error}"),
            None => {}
        }
        self.ended = true;
        None
    }

    /// Whether deliveries of this subscription can still be acknowledged.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.channel.status().connected()
    }

    /// Acknowledges a delivery and everything before it on this channel. Deliveries must be worked in order.
    pub async fn acknowledge_through(&self, last: &Incoming) -> Result<(), ConsumeError> {
        let unavailable =
            |error: lapin::Error| ConsumeError::Unavailable { queue: self.queue, reason: error.to_string() };
        self.channel
            .basic_ack(last.delivery_tag, BasicAckOptions { multiple: true })
            .await
            .map_err(unavailable)
    }

    /// Asks the broker to send no more. What it has sent already can still be gathered; where it does not answer, the
    /// subscription counts as ended.
    pub async fn cancel(&mut self) {
        let cancel = self.channel.basic_cancel(self.deliveries.tag(), BasicCancelOptions::default());
        match tokio::time::timeout(GOODBYE_DEADLINE, cancel).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(queue = self.queue, "The subscription was gone before its end: {error}");
            }
            Err(_) => self.ended = true,
        }
    }

    /// Gives back what is unacknowledged and frees the channel.
    pub async fn close(self) {
        let closed = tokio::time::timeout(GOODBYE_DEADLINE, self.channel.close(200, "done".into())).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::debug!(queue = self.queue, "The channel was gone before it was closed: {closed:?}");
        }
    }
}

async fn subscribe(
    amqp: &lapin::Connection,
    settings: &ConsumerSettings,
) -> lapin::Result<(Channel, lapin::Consumer)> {
    let channel = amqp.create_channel().await?;
    // Before the subscription, as the broker would otherwise send all it has.
    channel.basic_qos(settings.prefetch, BasicQosOptions { global: false }).await?;
    let queue = ShortString::from(settings.queue);
    let tag = ShortString::try_new(settings.tag.as_str()).unwrap_or_else(|_| queue.clone());
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let deliveries = channel.basic_consume(queue, tag, options, arguments).await?;
    Ok((channel, deliveries))
}
