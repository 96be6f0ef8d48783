//! Publishing with confirms: one task per channel, which publishes a window of messages and waits for all its confirms.
//!
//! The window is what makes outcomes exact. The broker returns an unroutable message before it confirms it, but lapin
//! hands the return to whichever confirm completes next, and confirms a range of messages in no fixed order. Within a
//! window all confirms are awaited before any outcome is told, so every return is seen in time and is matched by
//! message id. Requests that come while a window is under way form the next one, so windows grow with the load.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{Channel, Confirmation};
use millrace_faults::{Mutant, Point, mutated, reach};
use tokio::sync::{mpsc, oneshot, watch};

use crate::connection::{Connection, ConnectionStatus, is_not_found, refusal};
use crate::wire::Outgoing;

/// How many requests wait for a channel before those who publish are made to wait, too.
const QUEUED_REQUESTS: usize = 1024;
/// How many messages a window takes up at most, unless one request alone brings more.
const WINDOW: usize = 512;
/// A window that has so many bytes takes up no more: lapin holds a copy of all of it until it is written.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// A connection over which nothing was confirmed for so long, though something waited for it, is given up. Its heartbeats
/// may be fine all the same: those of a node that has lost touch with the majority of its cluster are.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Why messages were not published, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nothing was sent: there is no usable connection.
    #[error("nothing was sent: {0}")]
    Unavailable(String),
    /// The broker has refused at least one message: a queue is full.
    #[error("the broker refused the message: a queue is full")]
    Refused,
    /// At least one message fits no queue, or its exchange is not there; the topology is not applied.
    #[error("no queue takes the message: the topology is not applied")]
    Unroutable,
    /// Sent, but the answer did not come; the messages may be there.
    #[error("the broker did not confirm in time, so the message may or may not be there: {0}")]
    Unknown(String),
}

/// Publishes with confirms, over several channels. Cheap to clone.
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
    /// A publisher over this connection with this many channels, which answers within `deadline`.
    #[must_use]
    pub fn open(connection: &Connection, channels: usize, deadline: Duration) -> Self {
        let channels = (0..channels.max(1)).map(|_| {
            let (sender, requests) = mpsc::channel(QUEUED_REQUESTS);
            tokio::spawn(run(connection.clone(), requests, deadline));
            sender
        });
        Self { channels: channels.collect(), next: Arc::default(), deadline }
    }

    /// Publishes all messages and returns once the broker has confirmed every one of them.
    ///
    /// After an error some of them may be there; publishing all of them again is safe, as they keep their ids.
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

/// Serves one channel after the other until the publisher is dropped.
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
                    connection.give_up(amqp);
                }
                // Never used again; closing it also stops what is still queued in it.
                tokio::spawn(async move { channel.close(200, "replaced".into()).await });
                Vec::new()
            }
        };
    }
}

/// A channel in confirm mode, its connection, and the requests that have waited for it.
struct Opened {
    amqp: Arc<lapin::Connection>,
    channel: Channel,
    held: Vec<Request>,
}

/// Waits for a connection and opens a channel in confirm mode. Meanwhile requests are told that there is none, except
/// that a channel which is about to be there is waited for, for half of the time that they have.
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
            // The connection broke meanwhile; its supervisor will notice and bring another one.
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
    // Over a blocked connection nothing is written, so no answer could come.
    status.wait_for(|status| *status != ConnectionStatus::Blocked).await.ok()?;
    let opening = async {
        let channel = amqp.create_channel().await?;
        if !mutated(Mutant::NoConfirms) {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
        }
        Ok::<_, lapin::Error>(channel)
    };
    let channel = connection.ask(&amqp, opening).await?.ok()?;
    Some((amqp, channel))
}

enum Served {
    /// Nobody publishes any more.
    Dropped,
    /// The channel went with its connection before these were sent.
    ChannelGone { unsent: Vec<Request> },
    /// What became of the last window is not known.
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
            // A blocked connection writes nothing, confirms included: there is nothing to wait for.
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

/// Everything that is waiting, at least one request.
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

/// What was not stored, by the position of its request in the window.
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
    // A message counts as published once it is written to the socket. To wait for that one by one would be a system call and
    // two changes of thread for each; this way lapin writes what it has at once. A first poll both takes a delivery tag and
    // queues the message, so that no other one, polled by this task too, can come between.
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

/// Sends one message; the future that comes back is its confirm.
async fn publish(
    channel: &Channel,
    connection: &Connection,
    message: &Outgoing,
) -> lapin::Result<impl Future<Output = lapin::Result<Confirmation>> + use<>> {
    // The broker checks the user. Who built the message is kept when another one sends it again.
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
        // Whoever asked may have stopped waiting.
        let _ = request.answer.send(outcome);
    }
}

#[cfg(test)]
mod tests;
