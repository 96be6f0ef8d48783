//! One connection through the proxy: in each direction a reader that reads ahead, and a writer that applies the rule.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, sleep_until};

use super::{Detection, Directions, Rule, Ruling, Shared};
use crate::services::ports;

const CHUNK_BYTES: usize = 16 * 1024;
/// How many chunks are read ahead of a writer that is held: enough that a client's leaving is noticed.
const CHUNKS_AHEAD: usize = 1024;
/// PostgreSQL's simple query `COMMIT`: its letter, its length, its text.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
/// The start of PostgreSQL's message `ReadyForQuery`: its letter and its length.
const READY: &[u8] = b"Z\0\0\0\x05";
const TRICKLE_PAUSE: Duration = Duration::from_millis(100);

/// The connection is to be reset on both sides.
#[derive(Debug)]
struct Cut;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

impl Rule {
    fn holds(self, way: Way) -> bool {
        match self {
            Self::BlackHole(Directions::Both) => true,
            Self::BlackHole(Directions::ToServer) => way == Way::ToServer,
            Self::BlackHole(Directions::ToClient) => way == Way::ToClient,
            _ => false,
        }
    }
}

struct Chunk {
    bytes: Vec<u8>,
    read: Instant,
}

struct Context<'a> {
    shared: &'a Weak<Shared>,
    rulings: watch::Receiver<Ruling>,
    opened: Instant,
    /// A `COMMIT` has gone through whose answer is to be withheld.
    answer_due: AtomicBool,
    /// How often PostgreSQL has said that it is ready.
    ready: AtomicU32,
    vanished: AtomicBool,
}

pub(super) async fn serve(
    mut client: TcpStream,
    mut server: TcpStream,
    shared: &Weak<Shared>,
    (rulings, gathered): (watch::Receiver<Ruling>, Option<SocketAddr>),
) {
    // Small frames are the rule here; held back, they would be measured as delay.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let context = Context {
        shared,
        rulings,
        opened: Instant::now(),
        answer_due: AtomicBool::new(false),
        ready: AtomicU32::new(0),
        vanished: AtomicBool::new(false),
    };
    let reset = {
        let (client_reads, client_writes) = client.split();
        let (server_reads, server_writes) = server.split();
        let (to_server, for_server) = mpsc::channel(CHUNKS_AHEAD);
        let (to_client, for_client) = mpsc::channel(CHUNKS_AHEAD);
        let both_ways = async {
            tokio::try_join!(
                context.read(client_reads, to_server, Way::ToServer),
                context.write(for_server, server_writes, Way::ToServer),
                context.read(server_reads, to_client, Way::ToClient),
                context.write(for_client, client_writes, Way::ToClient),
            )
        };
        tokio::select! {
            ended = both_ways => ended.is_err(),
            () = context.until_ended(gathered) => true,
        }
    };
    if reset {
        // The kernel then sends a reset and discards what was not sent.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

impl Context<'_> {
    /// Returns when such a rule holds; never when the proxy is gone before.
    async fn until(&self, wanted: impl Fn(Rule) -> bool) {
        let mut rulings = self.rulings.clone();
        if rulings.wait_for(|ruling| wanted(ruling.rule)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the connection is to be reset, also because the proxy is gone.
    async fn until_ended(&self, gathered: Option<SocketAddr>) {
        let _ = self.rulings.clone().wait_for(|ruling| ruling.ends(gathered)).await;
    }

    async fn read(
        &self,
        mut from: impl AsyncRead + Unpin,
        to: mpsc::Sender<Chunk>,
        way: Way,
    ) -> Result<(), Cut> {
        loop {
            let mut bytes = vec![0; CHUNK_BYTES];
            let outcome = from.read(&mut bytes).await;
            if let Ok(count @ 1..) = outcome {
                bytes.truncate(count);
                let chunk = Chunk { bytes, read: Instant::now() };
                if to.send(chunk).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            if way == Way::ToServer {
                self.note_leaving();
            }
            return match outcome {
                Ok(_) => Ok(()),
                Err(_) => {
                    // A black hole does not deliver it.
                    self.until(|rule| !rule.holds(way)).await;
                    Err(Cut)
                }
            };
        }
    }

    async fn write(
        &self,
        mut from: mpsc::Receiver<Chunk>,
        mut to: impl AsyncWrite + Unpin,
        way: Way,
    ) -> Result<(), Cut> {
        while let Some(chunk) = from.recv().await {
            self.until(|rule| !rule.holds(way)).await;
            self.forward(chunk, &mut to, way).await?;
        }
        self.until(|rule| !rule.holds(way)).await;
        to.shutdown().await.map_err(|_| Cut)
    }

    async fn forward(&self, chunk: Chunk, to: &mut (impl AsyncWrite + Unpin), way: Way) -> Result<(), Cut> {
        if self.vanished.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
        let rule = self.rulings.borrow().rule;
        match rule {
            Rule::Delay { by, jitter } => {
                let later = by + random_part(jitter);
                tokio::select! {
                    () = sleep_until((chunk.read + later).into()) => {}
                    () = self.until(|rule| !matches!(rule, Rule::Delay { .. })) => {}
                }
            }
            Rule::Trickle { bytes_per_second } => {
                return self
                    .trickle(&chunk.bytes, to, usize::try_from(bytes_per_second / 10).unwrap_or(1))
                    .await;
            }
            Rule::CutFrame if chunk.bytes.len() > 1 => {
                let half = &chunk.bytes[..chunk.bytes.len() / 2];
                let _ = to.write_all(half).await;
                // A reset overtakes what the other side has not read yet.
                sleep(Duration::from_millis(5)).await;
                return Err(self.cut());
            }
            Rule::CutCommit if way == Way::ToServer && is_commit(&chunk.bytes) => {
                self.answer_due.store(true, Ordering::Release);
            }
            Rule::CutCommit if way == Way::ToClient && self.answer_due.load(Ordering::Acquire) => {
                return Err(self.cut());
            }
            Rule::VanishAfter(times) if way == Way::ToClient => {
                let said = u32::try_from(count(READY, &chunk.bytes)).unwrap_or(u32::MAX);
                if self.ready.fetch_add(said, Ordering::AcqRel) + said >= times {
                    self.vanished.store(true, Ordering::Release);
                    let _ = self.cut();
                }
            }
            _ => {}
        }
        to.write_all(&chunk.bytes).await.map_err(|_| Cut)
    }

    async fn trickle(
        &self,
        bytes: &[u8],
        to: &mut (impl AsyncWrite + Unpin),
        at_once: usize,
    ) -> Result<(), Cut> {
        for piece in bytes.chunks(at_once.max(1)) {
            to.write_all(piece).await.map_err(|_| Cut)?;
            if matches!(self.rulings.borrow().rule, Rule::Trickle { .. }) {
                sleep(TRICKLE_PAUSE).await;
            }
        }
        Ok(())
    }

    fn cut(&self) -> Cut {
        if let Some(shared) = self.shared.upgrade() {
            *shared.cuts.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
        Cut
    }

    fn note_leaving(&self) {
        let ruling = *self.rulings.borrow();
        let (Rule::BlackHole(_), Some(shared)) = (ruling.rule, self.shared.upgrade()) else { return };
        let established = self.opened < ruling.since;
        let detection = Detection { after: ruling.since.max(self.opened).elapsed(), established };
        shared.detections.lock().unwrap_or_else(PoisonError::into_inner).push(detection);
    }
}

fn is_commit(bytes: &[u8]) -> bool {
    count(COMMIT, bytes) > 0
}

fn count(wanted: &[u8], bytes: &[u8]) -> usize {
    bytes.windows(wanted.len()).filter(|window| *window == wanted).count()
}

fn random_part(of: Duration) -> Duration {
    of.mul_f64((ports::random() % 1000) as f64 / 1000.0)
}
