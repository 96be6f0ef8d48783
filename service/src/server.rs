//! An HTTP/1.1 server that slow clients can't hold up: its own accept loop, since `axum::serve` has no header timeout.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::process::Fatal;

/// How long to wait after a failed accept: the usual cause is that file descriptors have run out, and trying again at
/// once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// What a server allows its clients.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a request's header may take to arrive; also how long an idle connection is kept open.
    pub header_read: Duration,
    /// How many connections are served at once; further ones wait in the listen queue.
    pub connections: usize,
    /// How long requests in flight may take to finish when the server stops.
    pub drain: Duration,
}

/// A bound server that does not accept yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Binds an address; `setting` is the variable it came from, which the error names.
    pub async fn bind(setting: &str, listen: SocketAddr, limits: Limits) -> Result<Self, Fatal> {
        let bound = async {
            let listener = TcpListener::bind(listen).await?;
            let address = listener.local_addr()?;
            io::Result::Ok(Self { listener, address, limits })
        };
        bound.await.map_err(|error| {
            Fatal::Misconfigured(format!("{setting} is {listen}, which can't be listened on: {error}"))
        })
    }

    /// The address it is bound to, with the port that was chosen where port 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, then lets the requests in flight finish within the drain limit.
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let Self { listener, limits, .. } = self;
        let places = Arc::new(Semaphore::new(limits.connections));
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        while let Some((stream, place)) = next(&listener, &places, &stop).await {
            let connection = serve(stream, router.clone(), limits, stop.clone());
            let cut = cut.clone();
            connections.spawn(async move {
                cut.run_until_cancelled(connection).await;
                drop(place);
            });
        }
        drop(listener);
        connections.close();
        if tokio::time::timeout(limits.drain, connections.wait()).await.is_err() {
            tracing::warn!("Cut off {} connections that did not finish in time", connections.len());
            cut.cancel();
        }
    }
}

/// The next connection, with its place among those served at once; `None` when the server stops.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepted = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "Connections can't be accepted for the moment");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepted).await.flatten()
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

async fn serve(stream: TcpStream, router: Router, limits: Limits, stop: CancellationToken) {
    // Answers are small; waiting to fill a packet would only add latency. Where it can't be set, all still works.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "A connection ended early");
    }
}
