//! An AMQP connection with one channel that publishes with confirms and gets messages from a queue.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::error::Error;

use super::table::{Bytes, long, short};
use super::{Message, Table, table};

const DEADLINE: Duration = Duration::from_secs(30);
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const END: u8 = 0xce;
const CHANNEL: u16 = 1;
/// Bytes of a frame's header and end.
const OVERHEAD: usize = 8;

/// Why the broker does not accept something.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It closed the channel or the connection, with this reason.
    #[error("the broker closes: {0}")]
    Closed(String),
    /// It refuses this message.
    #[error("the broker refuses the message (nack)")]
    Nacked,
    /// The connection.
    #[error("the connection to the broker: {0}")]
    Io(#[from] io::Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new("AMQP by hand", refusal)
    }
}

struct Frame {
    kind: u8,
    payload: Vec<u8>,
}

/// One connection, one channel.
pub struct Client {
    stream: BufReader<TcpStream>,
    frame_max: usize,
    published: u64,
    confirmed: u64,
}

impl Client {
    /// Connects, logs in, opens a channel and asks for confirms.
    pub async fn connect(url: &str) -> Result<Self, Refusal> {
        let url = Url::parse(url).map_err(io::Error::other)?;
        let address = (url.host_str().unwrap_or("localhost"), url.port().unwrap_or(5672));
        let stream = BufReader::new(TcpStream::connect(address).await?);
        let mut client = Self { stream, frame_max: 4096, published: 0, confirmed: 0 };
        client.stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        client.expect(10, 10).await?;
        let login = [b"\0", url.username().as_bytes(), b"\0", url.password().unwrap_or_default().as_bytes()];
        let start_ok =
            [table::encode(&Table::new()), short(b"PLAIN"), long(&login.concat()), short(b"en_US")].concat();
        client.method(0, 10, 11, &start_ok).await?;
        let tune = client.expect(10, 30).await?;
        let mut tune = Bytes(&tune);
        let (channels, frame) =
            (tune.number::<2>().unwrap_or_default(), tune.number::<4>().unwrap_or_default());
        client.frame_max = usize::try_from(u32::from_be_bytes(frame)).unwrap_or(usize::MAX);
        let no_heartbeat = 0u16.to_be_bytes();
        client.method(0, 10, 31, &[&channels[..], &frame, &no_heartbeat].concat()).await?;
        let vhost = url.path().trim_start_matches('/');
        client.method(0, 10, 40, &[short(vhost.as_bytes()), short(b""), vec![0]].concat()).await?;
        client.expect(10, 41).await?;
        client.method(CHANNEL, 20, 10, &short(b"")).await?;
        client.expect(20, 11).await?;
        client.method(CHANNEL, 85, 10, &[0]).await?;
        client.expect(85, 11).await?;
        Ok(client)
    }

    /// The largest content of a header frame, in bytes.
    pub fn header_max(&self) -> usize {
        self.frame_max - OVERHEAD
    }

    /// Publishes into a queue and waits until the broker has taken the message.
    pub async fn publish(&mut self, queue: &str, message: &Message) -> Result<(), Refusal> {
        self.send(queue, message).await?;
        self.confirmed_all().await
    }

    /// Publishes into a queue without waiting.
    pub async fn send(&mut self, queue: &str, message: &Message) -> Result<(), Refusal> {
        let publish = [vec![0, 0], short(b""), short(queue.as_bytes()), vec![0]].concat();
        self.method(CHANNEL, 60, 40, &publish).await?;
        self.frame(HEADER, CHANNEL, &message.header()).await?;
        for chunk in message.body.chunks(self.frame_max - OVERHEAD) {
            self.frame(BODY, CHANNEL, chunk).await?;
        }
        self.published += 1;
        Ok(())
    }

    /// Waits until the broker has confirmed everything.
    pub async fn confirmed_all(&mut self) -> Result<(), Refusal> {
        self.stream.flush().await?;
        while self.confirmed < self.published {
            let (class, method, arguments) = self.next_method().await?;
            let mut arguments = Bytes(&arguments);
            let tag = arguments.number::<8>().map_or(0, u64::from_be_bytes);
            match (class, method) {
                (60, 80) => self.confirmed = self.confirmed.max(tag),
                (60, 120) => return Err(Refusal::Nacked),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes the next message out of a queue, if there is one.
    pub async fn take(&mut self, queue: &str) -> Result<Option<Message>, Refusal> {
        self.method(CHANNEL, 60, 70, &[vec![0, 0], short(queue.as_bytes()), vec![1]].concat()).await?;
        loop {
            match self.next_method().await? {
                (60, 71, _) => break,
                (60, 72, _) => return Ok(None),
                _ => {}
            }
        }
        let header = self.next_frame().await?.payload;
        let size = header.get(4..12).and_then(|size| size.try_into().ok()).map_or(0, u64::from_be_bytes);
        let odd = || io::Error::other("a header frame that can't be read");
        let mut message = Message::from_header(&header).ok_or_else(odd)?;
        while u64::try_from(message.body.len()).unwrap_or(u64::MAX) < size {
            message.body.extend(self.next_frame().await?.payload);
        }
        Ok(Some(message))
    }

    async fn expect(&mut self, class: u16, method: u16) -> Result<Vec<u8>, Refusal> {
        loop {
            let (got_class, got_method, arguments) = self.next_method().await?;
            if (got_class, got_method) == (class, method) {
                return Ok(arguments);
            }
        }
    }

    async fn next_method(&mut self) -> Result<(u16, u16, Vec<u8>), Refusal> {
        loop {
            let frame = self.next_frame().await?;
            if frame.kind != METHOD {
                continue;
            }
            let mut payload = Bytes(&frame.payload);
            let class = payload.number().map_or(0, u16::from_be_bytes);
            let method = payload.number().map_or(0, u16::from_be_bytes);
            if let (10, 50) | (20, 40) = (class, method) {
                let code = payload.number().map_or(0, u16::from_be_bytes);
                let text = String::from_utf8_lossy(payload.short().unwrap_or_default()).into_owned();
                return Err(Refusal::Closed(format!("{code} {text}")));
            }
            return Ok((class, method, payload.0.to_vec()));
        }
    }

    async fn next_frame(&mut self) -> Result<Frame, Refusal> {
        let silent = |_| io::Error::new(io::ErrorKind::TimedOut, "the broker does not answer");
        Ok(timeout(DEADLINE, self.read_frame()).await.map_err(silent)??)
    }

    async fn read_frame(&mut self) -> io::Result<Frame> {
        let mut header = [0; 7];
        self.stream.read_exact(&mut header).await?;
        let [kind, _, _, size @ ..] = header;
        let size = usize::try_from(u32::from_be_bytes(size)).map_err(io::Error::other)?;
        let mut payload = vec![0; size];
        self.stream.read_exact(&mut payload).await?;
        self.stream.read_u8().await?;
        Ok(Frame { kind, payload })
    }

    async fn method(
        &mut self,
        channel: u16,
        class: u16,
        method: u16,
        arguments: &[u8],
    ) -> Result<(), Refusal> {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        self.frame(METHOD, channel, &payload).await
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) -> Result<(), Refusal> {
        let size = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        let frame = [&[kind][..], &channel.to_be_bytes(), &size, payload, &[END]].concat();
        Ok(self.stream.write_all(&frame).await?)
    }
}
