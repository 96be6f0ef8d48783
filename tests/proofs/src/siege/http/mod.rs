//! HTTP/1.1 by hand: requests may be any bytes, and responses are seen exactly as they arrive.

mod answer;
mod reader;
mod request;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

pub use answer::{Answer, Head};
pub use reader::Reader;
pub use request::Request;

/// A connection to an API process.
#[derive(Debug)]
pub struct Connection {
    pub reader: Reader,
    pub writer: OwnedWriteHalf,
}

/// The result of waiting for a response.
#[derive(Debug)]
pub enum Reply {
    Answer(Answer),
    /// The API closed the connection.
    Closed,
    /// No complete response within the deadline.
    Timeout,
    /// Bytes that are not HTTP.
    NotHttp(String),
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self { reader: Reader::of(reader), writer })
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes).await
    }

    /// The next response; `to_head` says that it has no body.
    pub async fn read(&mut self, to_head: bool, patience: Duration) -> Reply {
        match tokio::time::timeout(patience, self.reader.answer(to_head)).await {
            Ok(reply) => reply.unwrap_or(Reply::Closed),
            Err(_) => Reply::Timeout,
        }
    }

    /// Whether the API closes the connection within this time, whatever it sends before.
    pub async fn closed(&mut self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.reader.end()).await.is_ok()
    }
}

/// A well-behaved client: one connection at a time, opened again after it was closed.
#[derive(Debug)]
pub struct Client {
    pub address: SocketAddr,
    connection: Option<Connection>,
}

impl Client {
    pub fn of(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Sends a request and returns the reply. If a kept connection was closed meanwhile, the request is sent again on a new one.
    pub async fn send(&mut self, request: &Request, patience: Duration) -> Reply {
        let (bytes, to_head) = (request.to_bytes(), request.method == "HEAD");
        if let Some(mut kept) = self.connection.take()
            && kept.write(&bytes).await.is_ok()
        {
            match kept.read(to_head, patience).await {
                Reply::Closed => {}
                reply => return self.keep(kept, reply),
            }
        }
        let Ok(mut fresh) = Connection::open(self.address).await else { return Reply::Closed };
        if fresh.write(&bytes).await.is_err() {
            return Reply::Closed;
        }
        let reply = fresh.read(to_head, patience).await;
        self.keep(fresh, reply)
    }

    fn keep(&mut self, connection: Connection, reply: Reply) -> Reply {
        if let Reply::Answer(answer) = &reply
            && !answer.head.closes()
        {
            self.connection = Some(connection);
        }
        reply
    }
}

impl Reply {
    /// The response, if it is one.
    pub fn answer(self) -> Option<Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Closed | Self::Timeout | Self::NotHttp(_) => None,
        }
    }
}
