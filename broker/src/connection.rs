//! A supervised AMQP connection: it reconnects by itself, and says at any moment how it is.
//!
//! lapin can recover connections itself, but re-using channels across connections has lost messages (its changelog for
//! 4.12.1 and 4.12.3); here a lost connection is gone with all its channels, and whoever needs one opens a new one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use futures_util::StreamExt;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::{ConnectionProperties, Event};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

/// TCP, TLS, login and tuning together.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Two missed heartbeats end a connection, so a dead peer is noticed within about 20 s.
const HEARTBEAT_SECONDS: &str = "10";
/// How long whoever needs a connection once waits for one.
const UP_DEADLINE: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT_MS: &str = "5000";
/// RabbitMQ's default. Asked for all the same: lapin then makes its buffers of 32 frames at once, and memory is used as far
/// as they are filled. Made larger when the broker has said its limit, they are filled with zeros, 8 MiB for each connection.
const FRAME_MAX: &str = "131072";
/// A configuration error is not mended by asking more often.
const MISCONFIGURED_PAUSE: Duration = Duration::from_secs(10);
/// What the broker answers at once if it answers at all.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// Events may be missed by a listener that came late; the connection's own state is looked at this often.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Where to connect, and under which name.
#[derive(Clone)]
pub struct ConnectionSettings {
    url: Url,
    name: String,
}

impl ConnectionSettings {
    /// A connection to this broker, shown in the console under `name`, such as `orders-worker@host`.
    #[must_use]
    pub fn new(mut url: Url, name: impl Into<String>) -> Self {
        let defaults = [
            ("heartbeat", HEARTBEAT_SECONDS),
            ("connection_timeout", CONNECT_TIMEOUT_MS),
            ("frame_max", FRAME_MAX),
        ];
        for (key, value) in defaults {
            if !url.query_pairs().any(|(given, _)| given == key) {
                url.query_pairs_mut().append_pair(key, value);
            }
        }
        // A slash alone would name the vhost without a name, which nobody has; it is meant as no path, for vhost `/`.
        if url.path() == "/" {
            url.set_path("");
        }
        Self { url, name: name.into() }
    }

    /// The user that the broker knows us as.
    fn user(&self) -> String {
        let user = percent_encoding::percent_decode_str(self.url.username()).decode_utf8_lossy();
        if user.is_empty() { "guest".to_owned() } else { user.into_owned() }
    }
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionSettings({} to {})", self.name, self.url.host_str().unwrap_or_default())
    }
}

/// How a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// Not there (yet, or any more); being tried.
    Connecting,
    /// Usable.
    Up,
    /// There, but the broker takes no messages for want of memory or disk.
    Blocked,
    /// The broker refuses us for a reason that waiting won't mend.
    Misconfigured(String),
    /// Closed by us for good.
    Closed,
}

impl fmt::Display for ConnectionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("not connected to the broker"),
            Self::Up => f.write_str("connected to the broker"),
            Self::Blocked => f.write_str("the broker takes no messages: it is short of memory or disk"),
            Self::Misconfigured(reason) => write!(f, "the broker refuses the connection: {reason}"),
            Self::Closed => f.write_str("the connection to the broker is closed"),
        }
    }
}

/// A supervised connection. Cheap to clone; it lives until [`Connection::close`].
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    settings: ConnectionSettings,
    user: String,
    status: watch::Sender<ConnectionStatus>,
    current: watch::Sender<Option<Arc<lapin::Connection>>>,
    given_up: watch::Sender<Option<Arc<lapin::Connection>>>,
    closing: CancellationToken,
    supervisor: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?}, {})", self.shared.settings, *self.shared.status.borrow())
    }
}

impl Connection {
    /// Starts connecting, and returns at once.
    #[must_use]
    pub fn open(settings: ConnectionSettings) -> Self {
        let shared = Arc::new(Shared {
            user: settings.user(),
            settings,
            status: watch::Sender::new(ConnectionStatus::Connecting),
            current: watch::Sender::new(None),
            given_up: watch::Sender::new(None),
            closing: CancellationToken::new(),
            supervisor: std::sync::Mutex::new(None),
        });
        let supervisor = tokio::spawn(supervise(Arc::clone(&shared)));
        *shared.supervisor.lock().expect("nobody panics holding it") = Some(supervisor);
        Self { shared }
    }

    /// How the connection is, now and at every change.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<ConnectionStatus> {
        self.shared.status.subscribe()
    }

    /// The current connection, now and at every change.
    pub(crate) fn current(&self) -> watch::Receiver<Option<Arc<lapin::Connection>>> {
        self.shared.current.subscribe()
    }

    /// Waits until there is a connection; after 10 s, or as soon as the broker refuses us, it says how it is instead.
    pub async fn until_up(&self) -> Result<(), ConnectionStatus> {
        self.connected().await.map(drop)
    }

    pub(crate) async fn connected(&self) -> Result<Arc<lapin::Connection>, ConnectionStatus> {
        let (mut current, mut status) = (self.current(), self.status());
        let refused = |status: &ConnectionStatus| matches!(status, ConnectionStatus::Misconfigured(_));
        let connection = tokio::select! {
            connected = current.wait_for(Option::is_some) => connected.ok().and_then(|it| it.clone()),
            _ = status.wait_for(refused) => None,
            () = tokio::time::sleep(UP_DEADLINE) => None,
        };
        connection.ok_or_else(|| self.status().borrow().clone())
    }

    /// This connection is there and no use: another one is made. Behind a load balancer it may lead to another node.
    pub(crate) fn give_up(&self, connection: Arc<lapin::Connection>) {
        self.shared.given_up.send_replace(Some(connection));
    }

    /// Asks over this connection for what the broker gives at once if it answers at all. Where it does not, `None`, the
    /// connection is given up, unless it is blocked: then nothing is written, so no answer could come.
    pub(crate) async fn ask<T>(
        &self,
        connection: &Arc<lapin::Connection>,
        question: impl Future<Output = T>,
    ) -> Option<T> {
        let answer = tokio::time::timeout(ANSWER_DEADLINE, question).await.ok();
        if answer.is_none() && *self.shared.status.borrow() != ConnectionStatus::Blocked {
            self.give_up(Arc::clone(connection));
        }
        answer
    }

    /// The user that the broker knows us as.
    pub(crate) fn user(&self) -> &str {
        &self.shared.user
    }

    /// The program that we are: our name without the host.
    pub(crate) fn app(&self) -> &str {
        let name = &self.shared.settings.name;
        name.split_once('@').map_or(name.as_str(), |(app, _)| app)
    }

    /// Closes the connection for good, and waits until the broker has heard of it.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        let supervisor = self.shared.supervisor.lock().expect("nobody panics holding it").take();
        if let Some(supervisor) = supervisor {
            let _ = supervisor.await;
        }
    }
}

async fn supervise(shared: Arc<Shared>) {
    let mut waits = backoff();
    loop {
        let outcome = tokio::select! {
            outcome = connect(&shared.settings) => outcome,
            () = shared.closing.cancelled() => break,
        };
        let pause = match outcome {
            Ok(connection) => {
                waits.reset();
                tracing::info!(connection = %shared.settings.name, "Connected to the broker");
                watch_over(&shared, Arc::new(connection)).await;
                waits.next_backoff()
            }
            Err(failed) => {
                tracing::warn!(connection = %shared.settings.name, "{failed}");
                let (status, pause) = match failed {
                    ConnectError::Misconfigured(reason) => {
                        (ConnectionStatus::Misconfigured(reason), Some(MISCONFIGURED_PAUSE))
                    }
                    ConnectError::Failed(_) | ConnectError::Deadline => {
                        (ConnectionStatus::Connecting, waits.next_backoff())
                    }
                };
                shared.status.send_replace(status);
                pause
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause.unwrap_or(MISCONFIGURED_PAUSE)) => {}
            () = shared.closing.cancelled() => break,
        }
    }
    shared.current.send_replace(None);
    shared.status.send_replace(ConnectionStatus::Closed);
}

/// Never gives up: 0.1 s at first, at most 2 s, so that a broker that is back is noticed soon.
fn backoff() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(100))
        .with_max_interval(Duration::from_secs(2))
        .with_max_elapsed_time(None)
        .build()
}

#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("The broker refuses the connection: {0}. Check user, password and vhost of AMQP_URL.")]
    Misconfigured(String),
    #[error("The broker can't be reached and is tried again: {0}")]
    Failed(lapin::Error),
    #[error("The broker did not answer in time and is tried again")]
    Deadline,
}

async fn connect(settings: &ConnectionSettings) -> Result<lapin::Connection, ConnectError> {
    let properties = ConnectionProperties::default().with_connection_name(settings.name.as_str().into());
    let connecting = lapin::Connection::connect(settings.url.as_str(), properties);
    match tokio::time::timeout(CONNECT_DEADLINE, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(match refusal(&error) {
            Some(reason) => ConnectError::Misconfigured(reason),
            None => ConnectError::Failed(error),
        }),
        Err(_) => Err(ConnectError::Deadline),
    }
}

/// The broker's words when it refuses us for good (wrong password, vhost or permission); `None` for anything else.
pub(crate) fn refusal(error: &lapin::Error) -> Option<String> {
    let lapin::ErrorKind::ProtocolError(amqp) = error.kind() else { return None };
    let for_good = matches!(
        amqp.kind(),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
    );
    for_good.then(|| amqp.get_message().to_string())
}

/// Whether the broker says that the exchange or queue is not there.
pub(crate) fn is_not_found(error: &lapin::Error) -> bool {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(amqp) => {
            matches!(amqp.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
        }
        _ => false,
    }
}

/// Returns when the connection is lost, or when we are closing and have closed it.
async fn watch_over(shared: &Shared, connection: Arc<lapin::Connection>) {
    let mut events = Box::pin(connection.events_listener());
    shared.status.send_replace(ConnectionStatus::Up);
    shared.current.send_replace(Some(Arc::clone(&connection)));
    let mut given_up = shared.given_up.subscribe();
    let mut checks = tokio::time::interval(CHECK_EVERY);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!(connection = %shared.settings.name, reason, "The broker takes no messages");
                    shared.status.send_replace(ConnectionStatus::Blocked);
                }
                Some(Event::ConnectionUnblocked) => {
                    tracing::info!(connection = %shared.settings.name, "The broker takes messages again");
                    shared.status.send_replace(ConnectionStatus::Up);
                }
                Some(Event::Error(error)) if !connection.status().connected() => {
                    tracing::warn!(connection = %shared.settings.name, "The connection to the broker is lost: {error}");
                    break;
                }
                Some(_) => {}
                None => break,
            },
            _ = checks.tick() => if !connection.status().connected() {
                tracing::warn!(connection = %shared.settings.name, "The connection to the broker is lost");
                break;
            },
            () = named(&mut given_up, &connection) => {
                tracing::warn!(
                    connection = %shared.settings.name,
                    "The broker has not answered for too long: this connection is given up for a new one"
                );
                tokio::spawn(take_leave(connection));
                break;
            }
            () = shared.closing.cancelled() => {
                shared.current.send_replace(None);
                let goodbye = connection.close(200, "closing".into());
                if !matches!(tokio::time::timeout(CONNECT_DEADLINE, goodbye).await, Ok(Ok(()))) {
                    tracing::debug!(connection = %shared.settings.name, "The broker did not take leave");
                }
                return;
            }
        }
    }
    shared.given_up.send_replace(None);
    shared.current.send_replace(None);
    shared.status.send_replace(ConnectionStatus::Connecting);
}

/// Closes a connection that was given up. By then its missed heartbeats have ended it if the peer is dead: lapin looks for
/// none once it has said goodbye, and would keep the socket until the peer answers.
async fn take_leave(connection: Arc<lapin::Connection>) {
    let heartbeat = Duration::from_secs(connection.configuration().heartbeat().into());
    tokio::time::sleep(heartbeat * 3).await;
    if connection.status().connected() {
        let goodbye = connection.close(200, "given up".into());
        if !matches!(tokio::time::timeout(CONNECT_DEADLINE, goodbye).await, Ok(Ok(()))) {
            tracing::debug!("The broker did not take leave of a connection that was given up");
        }
    }
}

/// Waits until this connection is given up.
async fn named(
    given_up: &mut watch::Receiver<Option<Arc<lapin::Connection>>>,
    connection: &Arc<lapin::Connection>,
) {
    let this =
        |it: &Option<Arc<lapin::Connection>>| it.as_ref().is_some_and(|it| Arc::ptr_eq(it, connection));
    if given_up.wait_for(this).await.is_err() {
        std::future::pending::<()>().await;
    }
}
