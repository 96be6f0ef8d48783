//! An HTTP/1.1 server that slow clients can't block. It has its own accept loop because `axum::serve` has no header timeout.

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

use crate::fatal::Fatal;
use crate::panics::contain_async;

/// Between a failed accept and the next one. The usual cause is that file descriptors have run out, and trying again at once
/// would only waste CPU time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// The limits of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Deadline for receiving a request's header; also closes an idle connection after this time.
    pub header_read: Duration,
    /// Maximum number of open connections. Further ones wait in the listen queue.
    pub connections: usize,
    /// Deadline for requests in flight when the server stops.
    pub drain: Duration,
}

/// A server that is bound to its address and does not accept connections yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Binds an address. An error names `setting`, the environment variable that the address came from.
    pub async fn bind(setting: &str, listen: SocketAddr, limits: Limits) -> Result<Self, Fatal> {
        let bound = async {
            let listener = TcpListener::bind(listen).await?;
            let address = listener.local_addr()?;
            io::Result::Ok(Self { listener, address, limits })
        };
        bound.await.map_err(|error| {
            Fatal::Misconfigured(format!("{setting} is {listen}, which cannot be listened on: {error}"))
        })
    }

    /// The bound address; for port 0, with the port that the system has chosen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, then waits for requests in flight, up to the drain limit.
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let Self { listener, limits, .. } = self;
        let permits = Arc::new(Semaphore::new(limits.connections));
        let connections = TaskTracker::new();
        let cut_off = CancellationToken::new();
        while let Some((stream, permit)) = next(&listener, &permits, &stop).await {
            let connection = serve(stream, router.clone(), limits, stop.clone());
            let cut_off = cut_off.clone();
            connections.spawn(async move {
                // What one peer sends must not end the process for all others. The panic is logged.
                let _ = contain_async(cut_off.run_until_cancelled(connection)).await;
                drop(permit);
            });
        }
        drop(listener);
        connections.close();
        if tokio::time::timeout(limits.drain, connections.wait()).await.is_err() {
            tracing::warn!("Closed {} connections that did not finish in time", connections.len());
            cut_off.cancel();
        }
    }
}

/// The next connection and its permit; `None` when the server stops.
async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepted = async {
        let permit = Arc::clone(permits).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, permit)),
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "A connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepted).await.flatten()
}

fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

async fn serve(stream: TcpStream, router: Router, limits: Limits, stop: CancellationToken) {
    // Responses are small, and waiting to fill a packet would only add latency. The server works without the option, too.
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
