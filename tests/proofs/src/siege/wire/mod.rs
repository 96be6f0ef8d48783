//! HTTP/1.1 by hand: what is said is bytes, so that it may be anything, and every answer is looked at as it comes.

mod answer;
mod hearing;
mod request;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

pub use answer::{Answer, Head};
pub use hearing::Hearing;
pub use request::Request;

/// A connection to a door.
#[derive(Debug)]
pub struct Wire {
    pub hears: Hearing,
    pub says: OwnedWriteHalf,
}

/// What came of waiting for an answer.
#[derive(Debug)]
pub enum Heard {
    Answer(Answer),
    /// The door closed the connection.
    Closed,
    /// Nothing, or not all, within the time.
    Silence,
    /// No HTTP.
    Nonsense(String),
}

impl Wire {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (hears, says) = stream.into_split();
        Ok(Self { hears: Hearing::of(hears), says })
    }

    pub async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.says.write_all(bytes).await
    }

    /// The next answer; one to HEAD has no body.
    pub async fn hear(&mut self, to_head: bool, patience: Duration) -> Heard {
        match tokio::time::timeout(patience, self.hears.answer(to_head)).await {
            Ok(heard) => heard.unwrap_or(Heard::Closed),
            Err(_) => Heard::Silence,
        }
    }

    /// Waits until the door closes the connection, whatever it says before.
    pub async fn closed(&mut self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.hears.end()).await.is_ok()
    }
}

/// A well-behaved client: one connection at a time, opened anew where it was closed.
#[derive(Debug)]
pub struct Client {
    pub address: SocketAddr,
    wire: Option<Wire>,
}

impl Client {
    pub fn of(address: SocketAddr) -> Self {
        Self { address, wire: None }
    }

    /// Asks, and gives back what is heard. A connection that was kept and has been closed meanwhile is no answer.
    pub async fn ask(&mut self, request: &Request, patience: Duration) -> Heard {
        let (bytes, to_head) = (request.to_bytes(), request.method == "HEAD");
        if let Some(mut kept) = self.wire.take()
            && kept.say(&bytes).await.is_ok()
        {
            match kept.hear(to_head, patience).await {
                Heard::Closed => {}
                heard => return self.keep(kept, heard),
            }
        }
        let Ok(mut fresh) = Wire::open(self.address).await else { return Heard::Closed };
        if fresh.say(&bytes).await.is_err() {
            return Heard::Closed;
        }
        let heard = fresh.hear(to_head, patience).await;
        self.keep(fresh, heard)
    }

    fn keep(&mut self, wire: Wire, heard: Heard) -> Heard {
        if let Heard::Answer(answer) = &heard
            && !answer.head.closes()
        {
            self.wire = Some(wire);
        }
        heard
    }
}

impl Heard {
    /// The answer, if it is one.
    pub fn answer(self) -> Option<Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Closed | Self::Silence | Self::Nonsense(_) => None,
        }
    }
}
