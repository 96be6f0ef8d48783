//! A TCP balancer as it stands before most clusters: each connection goes to the next node that accepts it.
//!
//! It looks at nothing but whether a node accepts: no health checks, and a connection whose node falls silent stays open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A node that does not accept for this long is passed over.
pub const ACCEPT_DEADLINE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Balancer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _closing: DropGuard,
}

#[derive(Debug)]
struct Shared {
    nodes: Vec<SocketAddr>,
    next: AtomicUsize,
    /// The node that all connections are to be gathered on, if any.
    gathered: watch::Sender<Option<SocketAddr>>,
}

impl Balancer {
    /// Listens on any free port of loopback.
    pub async fn start(nodes: Vec<SocketAddr>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { nodes, next: AtomicUsize::new(0), gathered: watch::Sender::new(None) });
        let closing = CancellationToken::new();
        tokio::spawn(accept(listener, Arc::clone(&shared), closing.clone()));
        Ok(Self { address, shared, _closing: closing.drop_guard() })
    }

    /// Ends all connections; those that are made next go to this node, until [`Balancer::spread`].
    pub fn gather(&self, node: SocketAddr) {
        self.shared.gathered.send_replace(Some(node));
    }

    /// New connections go round again; those that are there stay.
    pub fn spread(&self) {
        self.shared.gathered.send_replace(None);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, closing: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => return,
        };
        match accepted {
            Ok((client, _)) => drop(tokio::spawn(serve(client, Arc::clone(&shared)))),
            // For want of file descriptors, which others give back.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// However one side ends, or all are gathered: both sides see the end of their connection.
async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let mut gathered = shared.gathered.subscribe();
    let chosen = *gathered.borrow_and_update();
    tokio::select! {
        () = forward(client, &shared, chosen) => {}
        _ = gathered.wait_for(|node| node.is_some() && *node != chosen) => {}
    }
}

async fn forward(mut client: TcpStream, shared: &Shared, chosen: Option<SocketAddr>) {
    let count = shared.nodes.len();
    let first = shared.next.fetch_add(1, Ordering::Relaxed);
    let round = (0..count).map(|step| shared.nodes[(first + step) % count]);
    for node in chosen.into_iter().chain(round) {
        if let Ok(Ok(mut node)) = timeout(ACCEPT_DEADLINE, TcpStream::connect(node)).await {
            // Small frames are not to wait for each other; a failure to say so only makes them later.
            let _ = (client.set_nodelay(true), node.set_nodelay(true));
            let _ = copy_bidirectional(&mut client, &mut node).await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A node that tells its name to everybody.
    async fn node(name: u8) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(&[name]).await.expect("the balancer reads");
                held.push(stream);
            }
        });
        address
    }

    async fn who_answers(balancer: &Balancer) -> u8 {
        let mut stream = TcpStream::connect(balancer.address).await.expect("the balancer listens");
        stream.read_u8().await.expect("some node answers")
    }

    #[tokio::test]
    async fn connections_go_round_and_pass_over_a_node_that_is_gone() {
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = gone.local_addr().expect("it listens");
        drop(gone);
        let balancer =
            Balancer::start(vec![node(1).await, address, node(3).await]).await.expect("a free port");
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(who_answers(&balancer).await);
        }
        assert_eq!(answers, [1, 3, 3, 1, 3, 3]);
    }

    #[tokio::test]
    async fn gathering_ends_connections_and_leads_new_ones_to_one_node() {
        let nodes = [node(1).await, node(2).await];
        let balancer = Balancer::start(nodes.to_vec()).await.expect("a free port");
        let mut early = TcpStream::connect(balancer.address).await.expect("the balancer listens");
        assert_eq!(early.read_u8().await.expect("the first node answers"), 1);
        balancer.gather(nodes[0]);
        early.read_u8().await.expect_err("its connection is ended");
        assert_eq!([who_answers(&balancer).await, who_answers(&balancer).await], [1, 1]);
        balancer.spread();
        let answers = [who_answers(&balancer).await, who_answers(&balancer).await];
        assert!(answers.contains(&2), "{answers:?}");
    }
}
