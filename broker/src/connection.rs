//! A supervised AMQP connection: it reconnects by itself and reports its status at any time.
//!
//! lapin's own recovery is not used, because reusing channels across connections has lost messages (its changelog, 4.12.1
//! and 4.12.3). Here a lost connection takes its channels with it, and the code that needs a channel opens a new one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use futures_util::StreamExt;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::{ConnectionProperties, Event};
use millrace_faults::{Task, task};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

/// For TCP, TLS, login and the negotiation of limits together.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// A connection ends after two missed heartbeats, so a dead peer is noticed within about 20 s.
const HEARTBEAT_SECONDS: &str = "10";
/// How long [`Connection::until_up`] waits.
const UP_DEADLINE: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT_MS: &str = "5000";
/// RabbitMQ's default, in bytes. It is named here because lapin then allocates its buffers of 32 frames only once, and pages
/// that are never written cost no memory. Otherwise lapin enlarges them after the broker has named its limit and fills them
/// with zeros: 8 MiB for each connection.
const FRAME_MAX: &str = "131072";
/// Between attempts that fail because of the configuration: only a person can correct it.
const MISCONFIGURED_PAUSE: Duration = Duration::from_secs(10);
/// For requests that a working broker answers at once.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How often the connection's own state is checked: a listener that is registered late misses events.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The broker's URL and the name under which this program connects.
#[derive(Clone)]
pub struct ConnectionSettings {
    url: Url,
    name: String,
}

impl ConnectionSettings {
    /// Settings for the broker at an `amqp://` or `amqps://` URL. RabbitMQ's console shows `name`, such as
    /// `offers-worker@host`; what stands before the `@` becomes the app id of published messages.
    ///
    /// Heartbeat, connect timeout and frame size get defaults unless the URL's query names them.
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
        // Taken literally, a single slash names a vhost whose name is empty. People who write it mean the vhost `/`.
        if url.path() == "/" {
            url.set_path("");
        }
        Self { url, name: name.into() }
    }

    /// The broker user that the URL names; RabbitMQ's default where it names none.
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

/// The status of a [`Connection`]. Its `Display` is a reason for logs and probes; it contains no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// Not connected; the next attempt follows within 2 s.
    Connecting,
    /// Connected.
    Up,
    /// Connected, but the broker accepts no messages because it is short of memory or disk space.
    Blocked,
    /// The broker refuses the connection, with this reason, because of a wrong password, vhost or permission. The next
    /// attempt follows after 10 s.
    Misconfigured(String),
    /// Closed by [`Connection::close`]. It does not connect again.
    Closed,
}

impl fmt::Display for ConnectionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("not connected to the broker"),
            Self::Up => f.write_str("connected to the broker"),
            Self::Blocked => {
                f.write_str("the broker accepts no messages: it is short of memory or disk space")
            }
            Self::Misconfigured(reason) => write!(f, "the broker refuses the connection: {reason}"),
            Self::Closed => f.write_str("the connection to the broker is closed"),
        }
    }
}

/// A supervised connection. Clones share it, and it stays open until [`Connection::close`].
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    settings: ConnectionSettings,
    user: String,
    status: watch::Sender<ConnectionStatus>,
    current: watch::Sender<Option<Arc<lapin::Connection>>>,
    replaced: watch::Sender<Option<Arc<lapin::Connection>>>,
    closing: CancellationToken,
    supervisor: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?}, {})", self.shared.settings, *self.shared.status.borrow())
    }
}

impl Connection {
    /// Starts connecting in a task of its own and returns at once. Needs a running Tokio runtime.
    #[must_use]
    pub fn open(settings: ConnectionSettings) -> Self {
        let shared = Arc::new(Shared {
            user: settings.user(),
            settings,
            status: watch::Sender::new(ConnectionStatus::Connecting),
            current: watch::Sender::new(None),
            replaced: watch::Sender::new(None),
            closing: CancellationToken::new(),
            supervisor: std::sync::Mutex::new(None),
        });
        let supervisor = tokio::spawn(task(Task::BrokerConnection, supervise(Arc::clone(&shared))));
        *shared.supervisor.lock().expect("nobody panics holding it") = Some(supervisor);
        Self { shared }
    }

    /// The current status; the receiver also sees every change.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<ConnectionStatus> {
        self.shared.status.subscribe()
    }

    /// lapin's connection while there is one; the receiver also sees every change.
    pub(crate) fn current(&self) -> watch::Receiver<Option<Arc<lapin::Connection>>> {
        self.shared.current.subscribe()
    }

    /// Waits until the connection is up. Fails with the current status after 10 s, or as soon as the broker refuses it.
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

    /// Replaces a connection that is open but does not answer. Behind a load balancer the next one may reach another node.
    pub(crate) fn replace(&self, connection: Arc<lapin::Connection>) {
        self.shared.replaced.send_replace(Some(connection));
    }

    /// Awaits a request over `connection` that a working broker answers at once. Gives `None` after 5 s, and then the
    /// connection is replaced, unless it is blocked: over a blocked connection nothing is written, so no answer can come.
    pub(crate) async fn request<T>(
        &self,
        connection: &Arc<lapin::Connection>,
        request: impl Future<Output = T>,
    ) -> Option<T> {
        let answer = tokio::time::timeout(ANSWER_DEADLINE, request).await.ok();
        if answer.is_none() && *self.shared.status.borrow() != ConnectionStatus::Blocked {
            self.replace(Arc::clone(connection));
        }
        answer
    }

    /// The broker user of this connection.
    pub(crate) fn user(&self) -> &str {
        &self.shared.user
    }

    /// The program's name: the connection's name up to the `@`.
    pub(crate) fn app(&self) -> &str {
        let name = &self.shared.settings.name;
        name.split_once('@').map_or(name.as_str(), |(app, _)| app)
    }

    /// Closes the connection for good and waits, for 5 s at most, until the broker confirms it.
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
                monitor(&shared, Arc::new(connection)).await;
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

/// 0.1 s at first and 2 s at most, without an end, so that a broker that comes back is noticed soon.
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
    #[error("Cannot connect to the broker, trying again: {0}")]
    Failed(lapin::Error),
    #[error("The broker did not answer in time, trying again")]
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

/// The broker's own reason when it refuses a request because of a wrong password, vhost or permission; `None` for any other
/// error.
pub(crate) fn refusal(error: &lapin::Error) -> Option<String> {
    let lapin::ErrorKind::ProtocolError(amqp) = error.kind() else { return None };
    let for_good = matches!(
        amqp.kind(),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
    );
    for_good.then(|| amqp.get_message().to_string())
}

/// Whether the error is the broker's 404: the exchange or queue does not exist.
pub(crate) fn is_not_found(error: &lapin::Error) -> bool {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(amqp) => {
            matches!(amqp.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
        }
        _ => false,
    }
}

/// Publishes the connection's status until the connection is lost, replaced or closed.
async fn monitor(shared: &Shared, connection: Arc<lapin::Connection>) {
    let mut events = Box::pin(connection.events_listener());
    shared.status.send_replace(ConnectionStatus::Up);
    shared.current.send_replace(Some(Arc::clone(&connection)));
    let mut replaced = shared.replaced.subscribe();
    let mut checks = tokio::time::interval(CHECK_EVERY);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!(connection = %shared.settings.name, reason, "The broker accepts no messages");
                    shared.status.send_replace(ConnectionStatus::Blocked);
                }
                Some(Event::ConnectionUnblocked) => {
                    tracing::info!(connection = %shared.settings.name, "The broker accepts messages again");
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
            () = until_replaced(&mut replaced, &connection) => {
                tracing::warn!(
                    connection = %shared.settings.name,
                    "The broker does not answer; opening a new connection"
                );
                tokio::spawn(close_replaced(connection));
                break;
            }
            () = shared.closing.cancelled() => {
                shared.current.send_replace(None);
                let closed = connection.close(200, "closing".into());
                if !matches!(tokio::time::timeout(ANSWER_DEADLINE, closed).await, Ok(Ok(()))) {
                    tracing::debug!(connection = %shared.settings.name, "The broker did not confirm the close");
                }
                return;
            }
        }
    }
    shared.replaced.send_replace(None);
    shared.current.send_replace(None);
    shared.status.send_replace(ConnectionStatus::Connecting);
}

/// Closes a connection that was replaced, after three heartbeats: if the peer is dead, missed heartbeats have ended the
/// connection by then. Closed at once, lapin would stop watching for heartbeats and keep the socket until the peer answers.
async fn close_replaced(connection: Arc<lapin::Connection>) {
    let heartbeat = Duration::from_secs(connection.configuration().heartbeat().into());
    tokio::time::sleep(heartbeat * 3).await;
    if connection.status().connected() {
        let closed = connection.close(200, "replaced".into());
        if !matches!(tokio::time::timeout(ANSWER_DEADLINE, closed).await, Ok(Ok(()))) {
            tracing::debug!("The broker did not confirm the close of a replaced connection");
        }
    }
}

/// Waits until this connection is to be replaced.
async fn until_replaced(
    replaced: &mut watch::Receiver<Option<Arc<lapin::Connection>>>,
    connection: &Arc<lapin::Connection>,
) {
    let this =
        |it: &Option<Arc<lapin::Connection>>| it.as_ref().is_some_and(|it| Arc::ptr_eq(it, connection));
    if replaced.wait_for(this).await.is_err() {
        std::future::pending::<()>().await;
    }
}
