//! Looking at what lies in a queue: it is delivered like to a worker, not acknowledged, and given back when this is done.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::Channel;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};

use crate::connection::{Connection, ConnectionStatus, is_not_found};
use crate::wire::Incoming;

/// What was there may have been taken by a worker meanwhile; after so long without a delivery it is asked whether it was.
const QUIET: Duration = Duration::from_secs(1);
/// So often the broker may say that there is more and send none.
const QUIET_TIMES_MAX: u32 = 10;

/// How much of a queue was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Browsed {
    /// Messages that were looked at.
    pub looked_at: u64,
    /// Messages that were ready when this began.
    pub total: u64,
}

/// Why a queue was not (wholly) looked at. What was delivered goes back all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrowseError {
    /// No connection.
    #[error("{0}")]
    NotConnected(ConnectionStatus),
    /// No such queue.
    #[error("queue `{queue}` does not exist")]
    NoSuchQueue {
        /// The queue.
        queue: String,
    },
    /// The connection broke, or the broker refuses.
    #[error("queue `{queue}` could not be looked at any further than message {looked_at}: {reason}")]
    BrokenOff {
        /// The queue.
        queue: String,
        /// How many messages were looked at before.
        looked_at: u64,
        /// What happened.
        reason: String,
    },
}

/// Shows every message that lies ready in a queue, oldest first and at most `max`, to `look`, and gives them back. What is
/// added meanwhile is not looked at, and what workers hold is not ready.
///
/// To the broker each was delivered and returned, which it counts (`x-delivery-count`), and workers that come by meanwhile get
/// only the rest.
pub async fn browse(
    connection: &Connection,
    queue: &str,
    max: u16,
    look: impl FnMut(&Incoming),
) -> Result<Browsed, BrowseError> {
    let amqp = connection.connected().await.map_err(BrowseError::NotConnected)?;
    let broken_off = |looked_at, error: lapin::Error| match is_not_found(&error) {
        true => BrowseError::NoSuchQueue { queue: queue.to_owned() },
        false => BrowseError::BrokenOff { queue: queue.to_owned(), looked_at, reason: error.to_string() },
    };
    let channel = amqp.create_channel().await.map_err(|error| broken_off(0, error))?;
    let mut browser = Browser { channel, queue: ShortString::from(queue), looked_at: 0, look };
    let total = browser.browse(max).await.map_err(|error| broken_off(browser.looked_at, error))?;
    let looked_at = browser.looked_at;
    // Closing the channel is what gives all of it back.
    browser.channel.close(200, "done".into()).await.map_err(|error| broken_off(looked_at, error))?;
    Ok(Browsed { looked_at, total })
}

struct Browser<Look> {
    channel: Channel,
    queue: ShortString,
    looked_at: u64,
    look: Look,
}

impl<Look: FnMut(&Incoming)> Browser<Look> {
    /// Gives back how many there were. One subscription takes them all: what several had in turn comes back in the order of
    /// the subscriptions' names.
    async fn browse(&mut self, max: u16) -> lapin::Result<u64> {
        let total = self.ready().await?;
        let end = u16::try_from(total).map_or(max, |total| total.min(max));
        if end > 0 {
            self.subscribe(end).await?;
        }
        Ok(total)
    }

    async fn subscribe(&mut self, end: u16) -> lapin::Result<()> {
        // As many and no more: there are no acknowledgements that would ask for others.
        self.channel.basic_qos(end, BasicQosOptions { global: false }).await?;
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let tag = ShortString::from("");
        let mut deliveries = self.channel.basic_consume(self.queue.clone(), tag, options, arguments).await?;
        let mut quiet_times = 0;
        while self.looked_at < end.into() && quiet_times < QUIET_TIMES_MAX {
            match tokio::time::timeout(QUIET, deliveries.next()).await {
                Ok(Some(delivery)) => {
                    (self.look)(&Incoming::from_delivery(delivery?));
                    self.looked_at += 1;
                }
                // The broker ended the subscription: the queue is gone.
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
