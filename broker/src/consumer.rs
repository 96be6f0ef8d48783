//! Consuming a queue over one channel: whatever is there is taken as a batch, and a batch is acknowledged as one.

use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};

use crate::link::{Link, refusal};
use crate::wire::Incoming;

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
    pub async fn open(link: &Link, settings: &ConsumerSettings) -> Result<Self, ConsumeError> {
        let queue = settings.queue;
        let explain = |error: lapin::Error| match refusal(&error) {
            Some(reason) => ConsumeError::Misconfigured { queue, reason },
            None => ConsumeError::Unavailable { queue, reason: error.to_string() },
        };
        let gone = || ConsumeError::Unavailable { queue, reason: "the connection is closed".to_owned() };
        let mut connections = link.connection();
        let connection = connections.wait_for(Option::is_some).await.map_err(|_| gone())?.clone();
        let channel = connection.ok_or_else(gone)?.create_channel().await.map_err(explain)?;
        // Before the subscription, as the broker would otherwise send all it has.
        channel.basic_qos(settings.prefetch, BasicQosOptions { global: false }).await.map_err(explain)?;
        let deliveries = channel
            .basic_consume(
                ShortString::from(queue),
                ShortString::try_new(settings.tag.as_str()).unwrap_or_else(|_| ShortString::from(queue)),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(explain)?;
        Ok(Self { queue, channel, deliveries, ended: false })
    }

    /// Takes what is there: at least one delivery, for which it waits, and at most `max`. `None` when the subscription
    /// has ended, be it that the connection broke, the queue was deleted or the subscription was cancelled.
    pub async fn gather(&mut self, max: usize) -> Option<Vec<Incoming>> {
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

    /// Asks the broker to send no more. What it has sent already can still be gathered.
    pub async fn cancel(&self) {
        let cancelled = self.channel.basic_cancel(self.deliveries.tag(), BasicCancelOptions::default()).await;
        if let Err(error) = cancelled {
            tracing::debug!(queue = self.queue, "The subscription was gone before it was cancelled: {error}");
        }
    }

    /// Gives back what is unacknowledged and frees the channel.
    pub async fn close(self) {
        if let Err(error) = self.channel.close(200, "done".into()).await {
            tracing::debug!(queue = self.queue, "The channel was gone before it was closed: {error}");
        }
    }
}
