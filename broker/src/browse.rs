//! Reading a queue without consuming it: messages are delivered as to a worker, not acknowledged, and requeued at the end.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::Channel;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};

use crate::connection::{Connection, ConnectionStatus, is_not_found};
use crate::wire::Incoming;

/// A worker may take messages meanwhile. After this time without a delivery, the number of ready messages is read again.
const QUIET: Duration = Duration::from_secs(1);
/// How many times in a row the broker may report ready messages and deliver none.
const QUIET_TIMES_MAX: u32 = 10;

/// How much of a queue was shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Browsed {
    /// Messages that were shown.
    pub inspected: u64,
    /// Messages that were ready at the beginning.
    pub total: u64,
}

/// Why a queue was not shown, or only in part. Delivered messages are requeued all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrowseError {
    /// There is no connection; the status says why.
    #[error("{0}")]
    NotConnected(ConnectionStatus),
    /// The queue does not exist.
    #[error("queue `{queue}` does not exist")]
    NoSuchQueue {
        /// The queue's name.
        queue: String,
    },
    /// The connection was lost, or the broker refuses to deliver.
    #[error("queue `{queue}` could not be inspected beyond message {inspected}: {reason}")]
    Interrupted {
        /// The queue's name.
        queue: String,
        /// How many messages were shown before.
        inspected: u64,
        /// The underlying error.
        reason: String,
    },
}

/// Calls `look` with each of the first `max` ready messages of a queue, the oldest first, and requeues all of them. Messages
/// that arrive meanwhile are not shown, nor those that workers hold.
///
/// For the broker this is a delivery and a requeue: it raises `x-delivery-count`, and workers get only the remaining messages
/// until this returns.
pub async fn browse(
    connection: &Connection,
    queue: &str,
    max: u16,
    look: impl FnMut(&Incoming),
) -> Result<Browsed, BrowseError> {
    let amqp = connection.connected().await.map_err(BrowseError::NotConnected)?;
    let interrupted = |inspected, error: lapin::Error| match is_not_found(&error) {
        true => BrowseError::NoSuchQueue { queue: queue.to_owned() },
        false => BrowseError::Interrupted { queue: queue.to_owned(), inspected, reason: error.to_string() },
    };
    let channel = amqp.create_channel().await.map_err(|error| interrupted(0, error))?;
    let mut browser = Browser { channel, queue: ShortString::from(queue), inspected: 0, look };
    let total = browser.browse(max).await.map_err(|error| interrupted(browser.inspected, error))?;
    let inspected = browser.inspected;
    // Closing the channel requeues all of them.
    browser.channel.close(200, "done".into()).await.map_err(|error| interrupted(inspected, error))?;
    Ok(Browsed { inspected, total })
}

struct Browser<Look> {
    channel: Channel,
    queue: ShortString,
    inspected: u64,
    look: Look,
}

impl<Look: FnMut(&Incoming)> Browser<Look> {
    /// Gives the number of ready messages. One subscription takes all of them: from several, messages would come back in the
    /// order of the subscriptions' names.
    async fn browse(&mut self, max: u16) -> lapin::Result<u64> {
        let total = self.ready().await?;
        let end = u16::try_from(total).map_or(max, |total| total.min(max));
        if end > 0 {
            self.subscribe(end).await?;
        }
        Ok(total)
    }

    async fn subscribe(&mut self, end: u16) -> lapin::Result<()> {
        // The prefetch is a limit on the whole: without acknowledgements the broker delivers no further message.
        self.channel.basic_qos(end, BasicQosOptions { global: false }).await?;
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let tag = ShortString::from("");
        let mut deliveries = self.channel.basic_consume(self.queue.clone(), tag, options, arguments).await?;
        let mut quiet_times = 0;
        while self.inspected < end.into() && quiet_times < QUIET_TIMES_MAX {
            match tokio::time::timeout(QUIET, deliveries.next()).await {
                Ok(Some(delivery)) => {
                    (self.look)(&Incoming::from_delivery(delivery?));
                    self.inspected += 1;
                }
                // The broker ended the subscription: the queue was deleted.
                Ok(None) => break,
                Err(_) if self.ready().await? == 0 => break,
                Err(_) => quiet_times += 1,
            }
        }
        self.channel.basic_cancel(deliveries.tag(), BasicCancelOptions::default()).await
    }

    async fn ready(&self) -> lapin::Result<u64> {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let state = self.channel.queue_declare(self.queue.clone(), passive, FieldTable::default()).await?;
        Ok(state.message_count().into())
    }
}
