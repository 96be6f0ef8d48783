//! Publishing with confirms: one task per channel publishes a window of messages and awaits all of its confirms.
//!
//! The window makes outcomes exact. The broker returns an unroutable message before it confirms it, but lapin hands the
//! return to whichever confirm completes next, and confirms a range of messages in no fixed order. The task therefore
//! awaits all confirms of a window before it reports any outcome, and matches returned messages by their ids. Requests that
//! arrive meanwhile form the next window, so windows grow with the load.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{Channel, Confirmation};
use millrace_faults::{Mutant, Point, Task, mutated, reach, task};
use tokio::sync::{mpsc, oneshot, watch};

use crate::connection::{Connection, ConnectionStatus, is_not_found, refusal};
use crate::wire::Outgoing;

/// How many requests may wait for a channel; with more, [`Publisher::publish`] waits before it queues another one.
const QUEUED_REQUESTS: usize = 1024;
/// How many messages a window holds at most, unless a single request has more.
const WINDOW: usize = 512;
/// A window with this many bytes takes no further request: lapin keeps a copy of all bodies until they are written.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// A connection is replaced once it has confirmed nothing for this long although messages were waiting for it. Its
/// heartbeats may arrive all the same: a node that is cut off from the majority of its cluster still sends them.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Why messages were not published, or may not have been. Publishing them again is safe in every case: they keep their ids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nothing was sent, for this reason: there is no usable connection, or the broker refuses the publish.
    #[error("nothing was sent: {0}")]
    Unavailable(String),
    /// The broker refused at least one message with `basic.nack`: a queue is full.
    #[error("the broker refused the message: a queue is full")]
    Refused,
    /// The broker returned at least one message because no binding leads to a queue, or the exchange does not exist.
    #[error("no queue takes the message: the topology is not applied")]
    Unroutable,
    /// The messages were sent, but no confirm arrived, for this reason; they may be in their queues.
    #[error("the broker did not confirm in time, so the message may or may not be there: {0}")]
    Unknown(String),
}

/// Publishes with confirms over several channels. Clones share the channels.
#[derive(Debug, Clone)]
pub struct Publisher {
    channels: Arc<[mpsc::Sender<Request>]>,
    next: Arc<AtomicUsize>,
    deadline: Duration,
}

#[derive(Debug)]
struct Request {
    messages: Arc<[Outgoing]>,
    answer: oneshot::Sender<Result<(), PublishError>>,
}

impl Request {
    fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.body.len()).sum()
    }
}

impl Publisher {
    /// Opens a publisher with this number of channels (at least one). Each publish ends within `deadline`.
    ///
    /// Starts one task per channel and needs a running Tokio runtime. The tasks end when the last clone is dropped.
    #[must_use]
    pub fn open(connection: &Connection, channels: usize, deadline: Duration) -> Self {
        let channels = (0..channels.max(1)).map(|_| {
            let (sender, requests) = mpsc::channel(QUEUED_REQUESTS);
            tokio::spawn(task(Task::PublishChannel, run(connection.clone(), requests, deadline)));
            sender
        });
        Self { channels: channels.collect(), next: Arc::default(), deadline }
    }

    /// Publishes all messages, and returns when the broker has confirmed every one of them.
    ///
    /// After an error some of them may have been published. Publish all of them again: they keep their ids, so a copy takes
    /// no effect twice.
    pub async fn publish(&self, messages: Arc<[Outgoing]>) -> Result<(), PublishError> {
        if messages.is_empty() {
            return Ok(());
        }
        let (answer, outcome) = oneshot::channel();
        let channel = &self.channels[self.next.fetch_add(1, Ordering::Relaxed) % self.channels.len()];
        let published = async {
            let closed = || PublishError::Unavailable(ConnectionStatus::Closed.to_string());
            channel.send(Request { messages, answer }).await.map_err(|_| closed())?;
            outcome.await.unwrap_or_else(|_| Err(closed()))
        };
        tokio::time::timeout(self.deadline, published).await.unwrap_or_else(|_| {
            Err(PublishError::Unknown(format!("waited {} ms", self.deadline.as_millis())))
        })
    }
}

/// Opens a channel after the other and serves requests over it until the publisher is dropped.
async fn run(connection: Connection, mut requests: mpsc::Receiver<Request>, deadline: Duration) {
    let mut status = connection.status();
    let mut waiting = Vec::new();
    let mut silent_since = None;
    loop {
        let opened = open_channel(&connection, &mut status, &mut requests, deadline).await;
        let Some(Opened { amqp, channel, held }) = opened else { return };
        waiting.extend(held);
        let served =
            serve(&channel, &connection, &mut status, &mut requests, waiting, deadline, &mut silent_since)
                .await;
        waiting = match served {
            Served::Dropped => return,
            Served::ChannelGone { unsent } => unsent,
            Served::ChannelInDoubt => {
                if silent_since.is_some_and(|since: Instant| since.elapsed() >= SILENCE_MAX) {
                    silent_since = None;
                    connection.replace(amqp);
                }
                // This channel is not used again. Closing it also drops what lapin still has queued for it.
                tokio::spawn(async move { channel.close(200, "replaced".into()).await });
                Vec::new()
            }
        };
    }
}

/// A channel in confirm mode, its connection, and the requests that waited for it.
struct Opened {
    amqp: Arc<lapin::Connection>,
    channel: Channel,
    held: Vec<Request>,
}

/// Waits for a connection and opens a channel in confirm mode. Requests that arrive meanwhile fail at once without a
/// connection; with one, they wait for the channel during the first half of their deadline.
async fn open_channel(
    connection: &Connection,
    status: &mut watch::Receiver<ConnectionStatus>,
    requests: &mut mpsc::Receiver<Request>,
    deadline: Duration,
) -> Option<Opened> {
    loop {
        let (mut opening, mut held) = (pin!(try_open(connection)), Vec::new());
        let mut grace = pin!(tokio::time::sleep(deadline / 2));
        let opened = loop {
            tokio::select! {
                opened = &mut opening => break opened,
                request = requests.recv() => {
                    let request = request?;
                    match &*status.borrow_and_update() {
                        ConnectionStatus::Up if !grace.is_elapsed() && held.len() < QUEUED_REQUESTS => held.push(request),
                        ConnectionStatus::Up => refuse(vec![request], "a channel to the broker is being opened"),
                        other => refuse(vec![request], &other.to_string()),
                    }
                }
                () = &mut grace, if !held.is_empty() => {
                    refuse(std::mem::take(&mut held), "the broker does not open a channel");
                }
            }
        };
        match opened {
            Some((amqp, channel)) => return Some(Opened { amqp, channel, held }),
            // The connection was lost meanwhile; its supervisor will open another one.
            None => {
                refuse(held, "the connection to the broker is lost");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn refuse(requests: Vec<Request>, reason: &str) {
    answer(requests, &[], &Err(PublishError::Unavailable(reason.to_owned())));
}

async fn try_open(connection: &Connection) -> Option<(Arc<lapin::Connection>, Channel)> {
    let (mut current, mut status) = (connection.current(), connection.status());
    let amqp = current.wait_for(Option::is_some).await.ok()?.clone()?;
    // Over a blocked connection nothing is written, so no answer can come.
    status.wait_for(|status| *status != ConnectionStatus::Blocked).await.ok()?;
    let opening = async {
        let channel = amqp.create_channel().await?;
        if !mutated(Mutant::NoConfirms) {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
        }
        Ok::<_, lapin::Error>(channel)
    };
    let channel = connection.request(&amqp, opening).await?.ok()?;
    Some((amqp, channel))
}

enum Served {
    /// The last clone of the publisher was dropped.
    Dropped,
    /// The channel was lost before these requests were sent.
    ChannelGone { unsent: Vec<Request> },
    /// The outcome of the last window is unknown.
    ChannelInDoubt,
}

async fn serve(
    channel: &Channel,
    connection: &Connection,
    status: &mut watch::Receiver<ConnectionStatus>,
    requests: &mut mpsc::Receiver<Request>,
    mut waiting: Vec<Request>,
    deadline: Duration,
    silent_since: &mut Option<Instant>,
) -> Served {
    loop {
        let window = match std::mem::take(&mut waiting) {
            unsent if !unsent.is_empty() => unsent,
            _ => match next_window(requests).await {
                Some(window) => window,
                None => return Served::Dropped,
            },
        };
        if !channel.status().connected() {
            return Served::ChannelGone { unsent: window };
        }
        let now = status.borrow().clone();
        if now != ConnectionStatus::Up {
            answer(window, &[], &Err(PublishError::Unavailable(now.to_string())));
            continue;
        }
        let sent_at = Instant::now();
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(deadline, publish_window(channel, connection, &window)) => outcome
                .unwrap_or_else(|_| {
                    silent_since.get_or_insert(sent_at);
                    Err(PublishError::Unknown("the broker is silent".to_owned()))
                }),
            // Over a blocked connection neither messages nor confirms arrive, so waiting is pointless.
            _ = status.wait_for(|status| *status == ConnectionStatus::Blocked) => {
                Err(PublishError::Unknown(ConnectionStatus::Blocked.to_string()))
            }
        };
        match outcome {
            Ok(failed) => {
                *silent_since = None;
                answer(window, &failed, &Ok(()));
            }
            Err(error) => {
                answer(window, &[], &Err(error));
                return Served::ChannelInDoubt;
            }
        }
    }
}

/// Waits for a request and takes all that are waiting, up to a full window.
async fn next_window(requests: &mut mpsc::Receiver<Request>) -> Option<Vec<Request>> {
    let first = requests.recv().await?;
    let (mut messages, mut bytes) = (first.messages.len(), first.bytes());
    let mut window = vec![first];
    while messages < WINDOW && bytes < WINDOW_BYTES {
        let Ok(request) = requests.try_recv() else { break };
        messages += request.messages.len();
        bytes += request.bytes();
        window.push(request);
    }
    Some(window)
}

/// The failed requests, by their position in the window.
type Failed = Vec<(usize, PublishError)>;

async fn publish_window(
    channel: &Channel,
    connection: &Connection,
    window: &[Request],
) -> Result<Failed, PublishError> {
    let unknown = |error: lapin::Error| match refusal(&error) {
        Some(reason) => PublishError::Unavailable(format!("the broker refuses: {reason}")),
        None if is_not_found(&error) => PublishError::Unroutable,
        None => PublishError::Unknown(error.to_string()),
    };
    let messages = window
        .iter()
        .enumerate()
        .flat_map(|(position, request)| request.messages.iter().map(move |message| (position, message)));
    // `basic_publish` completes when the message is written to the socket. Awaiting one after the other would cost a system
    // call and two thread switches for each; together, lapin writes them at once. The first poll takes the delivery tag and
    // queues the message in one step, so the messages keep their order.
    let sending = messages.map(async |(position, message)| {
        let confirm = publish(channel, connection, message).await?;
        reach(Point::PublishedOne);
        Ok((position, confirm))
    });
    let confirms = try_join_all(sending).await.map_err(unknown)?;
    reach(Point::ConfirmsPending);
    let (mut failed, mut returned) = (Failed::new(), HashSet::new());
    for (position, confirm) in confirms {
        let confirmation = confirm.await.map_err(unknown)?;
        match &confirmation {
            Confirmation::Ack(_) => {}
            Confirmation::Nack(_) if mutated(Mutant::NackAsAck) => {}
            Confirmation::NotRequested if mutated(Mutant::NoConfirms) => {}
            Confirmation::Nack(_) => failed.push((position, PublishError::Refused)),
            Confirmation::NotRequested => {
                return Err(PublishError::Unknown("the channel is not in confirm mode".to_owned()));
            }
        }
        if let Some(message) = confirmation.take_message()
            && !mutated(Mutant::ReturnIgnored)
        {
            returned.insert(message.properties.message_id().as_ref().map(|id| id.as_str().to_owned()));
        }
    }
    for (position, request) in window.iter().enumerate() {
        let came_back = |message: &Outgoing| returned.contains(&message.message_id().map(str::to_owned));
        if !returned.is_empty() && request.messages.iter().any(came_back) {
            failed.push((position, PublishError::Unroutable));
        }
    }
    Ok(failed)
}

/// Sends one message; the returned future is its confirm.
async fn publish(
    channel: &Channel,
    connection: &Connection,
    message: &Outgoing,
) -> lapin::Result<impl Future<Output = lapin::Result<Confirmation>> + use<>> {
    // The broker verifies the user id. The app id names the program that built the message, also in copies of others.
    let mut properties = message.properties.clone().with_user_id(ShortString::from(connection.user()));
    if properties.app_id().is_none() {
        properties = properties.with_app_id(ShortString::from(connection.app()));
    }
    channel
        .basic_publish(
            ShortString::from(message.exchange.as_ref()),
            ShortString::from(message.routing_key.as_ref()),
            BasicPublishOptions { mandatory: message.mandatory, immediate: false },
            &message.body,
            properties,
        )
        .await
}

fn answer(window: Vec<Request>, failed: &[(usize, PublishError)], otherwise: &Result<(), PublishError>) {
    for (position, request) in window.into_iter().enumerate() {
        let outcome = match failed.iter().find(|(failed, _)| *failed == position) {
            Some((_, error)) => Err(error.clone()),
            None => otherwise.clone(),
        };
        // The caller may have stopped waiting.
        let _ = request.answer.send(outcome);
    }
}

#[cfg(test)]
mod tests;
