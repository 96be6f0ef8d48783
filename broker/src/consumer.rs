//! Consuming a queue over one channel: takes what was delivered as a batch, and acknowledges the batch as one.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};

use crate::connection::{Connection, refusal};
use crate::wire::Incoming;

/// For cancelling a subscription and closing a channel.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// How to consume a queue.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    /// The queue's name. It must exist.
    pub queue: &'static str,
    /// The consumer tag, shown in RabbitMQ's console: program, host and version. Up to 255 bytes and unique on its channel.
    pub tag: String,
    /// How many unacknowledged deliveries the broker sends (1 to 65535; 0 means no limit). Nothing else bounds the memory
    /// of waiting deliveries.
    pub prefetch: u16,
}

/// Why a queue can't be consumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// The broker refuses the subscription, and will refuse it again: a permission is missing, or the queue is exclusive.
    #[error("the broker refuses the subscription to queue `{queue}`: {reason}")]
    Misconfigured {
        /// The queue's name.
        queue: &'static str,
        /// The broker's own reason.
        reason: String,
    },
    /// The connection or channel is lost, or the queue does not exist. Trying again may succeed.
    #[error("queue `{queue}` cannot be consumed now: {reason}")]
    Unavailable {
        /// The queue's name.
        queue: &'static str,
        /// The underlying error.
        reason: String,
    },
}

/// A subscription to a queue on a channel of its own, so that one acknowledgement can cover all deliveries up to a point.
pub struct Consumer {
    queue: &'static str,
    channel: Channel,
    deliveries: lapin::Consumer,
    /// lapin reports the end of a subscription only once, and may do so in the middle of a batch.
    ended: bool,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Consumer({})", self.queue)
    }
}

impl Consumer {
    /// Waits for a connection, without a deadline, and subscribes within 5 s.
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
        let subscribed = connection.request(&amqp, subscribe(&amqp, settings)).await.ok_or_else(silent)?;
        let (channel, deliveries) = subscribed.map_err(explain)?;
        Ok(Self { queue, channel, deliveries, ended: false })
    }

    /// Waits for a delivery and takes it together with all others that have arrived, up to `max`.
    ///
    /// Gives `None` when the subscription has ended: the connection was lost, the queue was deleted, or [`Self::cancel`]
    /// was called and all deliveries before it were taken.
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

    /// Acknowledges this delivery and all before it on this channel, so deliveries must be settled in order.
    ///
    /// Fails when the channel is lost; the broker then delivers them again.
    pub async fn acknowledge_through(&self, last: &Incoming) -> Result<(), ConsumeError> {
        let unavailable =
            |error: lapin::Error| ConsumeError::Unavailable { queue: self.queue, reason: error.to_string() };
        self.channel
            .basic_ack(last.delivery_tag, BasicAckOptions { multiple: true })
            .await
            .map_err(unavailable)
    }

    /// Asks the broker to stop delivering. [`Self::next_batch`] still gives what has arrived. Where the broker does not answer
    /// within 5 s, the subscription counts as ended.
    pub async fn cancel(&mut self) {
        let cancel = self.channel.basic_cancel(self.deliveries.tag(), BasicCancelOptions::default());
        match tokio::time::timeout(CLOSE_DEADLINE, cancel).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(
                    queue = self.queue,
                    "The subscription had ended before it was cancelled: {error}"
                );
            }
            Err(_) => self.ended = true,
        }
    }

    /// Closes the channel, for which it waits 5 s at most. The broker requeues what is unacknowledged.
    pub async fn close(self) {
        let closed = tokio::time::timeout(CLOSE_DEADLINE, self.channel.close(200, "done".into())).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::debug!(queue = self.queue, "The channel had ended before it was closed: {closed:?}");
        }
    }
}

async fn subscribe(
    amqp: &lapin::Connection,
    settings: &ConsumerSettings,
) -> lapin::Result<(Channel, lapin::Consumer)> {
    let channel = amqp.create_channel().await?;
    // Before the subscription: otherwise the broker would deliver the whole queue at once.
    channel.basic_qos(settings.prefetch, BasicQosOptions { global: false }).await?;
    let queue = ShortString::from(settings.queue);
    let tag = ShortString::try_new(settings.tag.as_str()).unwrap_or_else(|_| queue.clone());
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let deliveries = channel.basic_consume(queue, tag, options, arguments).await?;
    Ok((channel, deliveries))
}
