//! A TCP proxy that breaks connections on purpose: it cuts them, holds them, slows them down, and can be told to do
//! otherwise at any moment. In front of several nodes it is a balancer as it stands before most clusters: it looks at nothing
//! but whether a node accepts, and a connection whose node falls silent stays open.
//!
//! What is held is delivered once the rule is lifted, as a network delivers again what it has dropped: nothing of a
//! stream is ever left out in its middle.

mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// A node of several that does not accept for this long is passed over.
pub const ACCEPT_DEADLINE: Duration = Duration::from_secs(1);

/// What happens to what comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Everything goes through at once.
    Pass,
    /// Every connection is reset, new ones too.
    Reset,
    /// Connections stay open, and what is sent in these directions does not arrive.
    BlackHole(Directions),
    /// Everything arrives this much later, and up to `jitter` more.
    Delay {
        /// At least.
        by: Duration,
        /// Added at random, at most this much.
        jitter: Duration,
    },
    /// This many bytes get through in a second, per connection and direction.
    Trickle { bytes_per_second: u32 },
    /// Of whatever comes next on a connection, half is forwarded; then the connection is reset.
    CutFrame,
    /// A PostgreSQL client's `COMMIT` gets through, its answer does not: the connection is reset instead.
    CutCommit,
    /// Once PostgreSQL has said this often that it is ready for a query (the first time when the client has logged in), the
    /// connection stays open and nothing goes through it any more, also under a later rule: its server has vanished.
    VanishAfter(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directions {
    /// What the client says.
    ToServer,
    /// What the server says.
    ToClient,
    Both,
}

/// A client that gave up a connection in which nothing moved.
#[derive(Debug, Clone, Copy)]
pub struct Detection {
    /// How long it took the client, from the moment the black hole opened, or from connecting if that was later.
    pub after: Duration,
    /// Whether the connection was there before the black hole was. Others are given up while connecting.
    pub established: bool,
}

#[derive(Debug, Clone, Copy)]
struct Ruling {
    rule: Rule,
    since: Instant,
    /// The node that all connections are to be gathered on, if any; others end.
    gathered: Option<SocketAddr>,
}

impl Ruling {
    /// Whether a connection that was made while all were gathered on `chosen`, if they were, is to be reset.
    fn ends(&self, chosen: Option<SocketAddr>) -> bool {
        self.rule == Rule::Reset || (self.gathered.is_some() && self.gathered != chosen)
    }
}

#[derive(Debug)]
struct Shared {
    ruling: watch::Sender<Ruling>,
    detections: Mutex<Vec<Detection>>,
    /// Connections that were cut in the middle or before an answer, or whose server has vanished.
    cuts: Mutex<u64>,
}

/// Where connections lead.
#[derive(Debug)]
struct Nodes {
    all: Vec<SocketAddr>,
    next: AtomicUsize,
}

impl Nodes {
    /// The next one that accepts, but this one before all others.
    async fn connect(&self, first: Option<SocketAddr>) -> Option<TcpStream> {
        if let [only] = &self.all[..] {
            return TcpStream::connect(only).await.ok();
        }
        let count = self.all.len();
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let round = (0..count).map(|step| self.all[(next + step) % count]);
        for node in first.into_iter().chain(round) {
            if let Ok(Ok(stream)) = timeout(ACCEPT_DEADLINE, TcpStream::connect(node)).await {
                return Some(stream);
            }
        }
        None
    }
}

/// A listening proxy. It ends, and its connections with it, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    listens: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Listens on a free port of this machine and forwards to the target, which need not be there yet.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        Self::balancing(vec![target]).await
    }

    /// The same for several: each connection goes to the next one that accepts it.
    pub async fn balancing(nodes: Vec<SocketAddr>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let listens = listener.local_addr()?;
        let first = Ruling { rule: Rule::Pass, since: Instant::now(), gathered: None };
        let (ruling, rulings) = watch::channel(first);
        let shared = Arc::new(Shared { ruling, detections: Mutex::default(), cuts: Mutex::default() });
        let nodes = Arc::new(Nodes { all: nodes, next: AtomicUsize::new(0) });
        tokio::spawn(accept(listener, nodes, Arc::downgrade(&shared), rulings));
        Ok(Self { listens, shared })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listens
    }

    /// From now on, for open connections and for new ones.
    pub fn set(&self, rule: Rule) {
        self.shared.ruling.send_modify(|ruling| (ruling.rule, ruling.since) = (rule, Instant::now()));
    }

    /// Ends all connections; those that are made next go to this node, until [`Proxy::spread`].
    pub fn gather(&self, node: SocketAddr) {
        self.shared.ruling.send_modify(|ruling| ruling.gathered = Some(node));
    }

    /// New connections go round again; those that are there stay.
    pub fn spread(&self) {
        self.shared.ruling.send_modify(|ruling| ruling.gathered = None);
    }

    /// Which clients gave up a connection in a black hole since this was last asked.
    #[must_use]
    pub fn take_detections(&self) -> Vec<Detection> {
        std::mem::take(&mut *self.shared.detections.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many connections [`Rule::CutFrame`] or [`Rule::CutCommit`] has cut, or [`Rule::VanishAfter`] has silenced, since the
    /// last call.
    #[must_use]
    pub fn take_cuts(&self) -> u64 {
        std::mem::take(&mut *self.shared.cuts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn accept(
    listener: TcpListener,
    nodes: Arc<Nodes>,
    shared: std::sync::Weak<Shared>,
    rulings: watch::Receiver<Ruling>,
) {
    let mut ended = rulings.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Only the sender's end matters here, which is the proxy's.
            () = async { while ended.changed().await.is_ok() {} } => return,
        };
        let (Ok((client, _)), Some(shared)) = (accepted, shared.upgrade()) else { continue };
        let (rulings, nodes) = (rulings.clone(), Arc::clone(&nodes));
        // The spawned task must not keep the proxy alive.
        let shared = Arc::downgrade(&shared);
        tokio::spawn(async move {
            let Ruling { rule, gathered, .. } = *rulings.borrow();
            let server = if rule == Rule::Reset { None } else { nodes.connect(gathered).await };
            let Some(server) = server else {
                let _ = client.set_zero_linger();
                return;
            };
            stream::serve(client, server, &shared, (rulings, gathered)).await;
        });
    }
}
