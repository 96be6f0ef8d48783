//! Reads responses from a connection: heads, bodies, and chunked bodies.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

use super::{Answer, Head, Reply};

/// In bytes; no response head of the API is larger.
const HEAD_MAX: usize = 256 * 1024;

/// The reading half of a connection.
#[derive(Debug)]
pub struct Reader {
    stream: OwnedReadHalf,
    /// Received bytes that were not read yet.
    unread: Vec<u8>,
}

impl Reader {
    pub fn of(stream: OwnedReadHalf) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// A whole response; only the head if it is a stream of events.
    pub async fn answer(&mut self, to_head: bool) -> io::Result<Reply> {
        let head = loop {
            let head = match self.head().await? {
                Ok(head) => head,
                Err(reply) => return Ok(reply),
            };
            // An interim answer, such as 100 Continue, is followed by the one that counts.
            if head.status >= 200 {
                break head;
            }
        };
        let body = if to_head || [204, 304].contains(&head.status) || head.is_events() {
            Some(Vec::new())
        } else if head.is_chunked() {
            self.chunks().await?
        } else if let Some(length) = head.length() {
            self.exactly(length).await?
        } else {
            self.end().await;
            Some(std::mem::take(&mut self.unread))
        };
        Ok(body.map_or(Reply::Closed, |body| Reply::Answer(Answer { head, body })))
    }

    /// Status and headers, or the reason that there are none.
    pub async fn head(&mut self) -> io::Result<Result<Head, Reply>> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                let text: Vec<u8> = self.unread.drain(..end + 4).collect();
                let nonsense = || Reply::NotHttp(String::from_utf8_lossy(&text).into_owned());
                return Ok(Head::read(&text).ok_or_else(nonsense));
            }
            if self.unread.len() > HEAD_MAX {
                return Ok(Err(Reply::NotHttp("a head without an end".to_owned())));
            }
            if self.more().await? == 0 {
                return Ok(Err(Reply::Closed));
            }
        }
    }

    /// The next chunk of a body in chunks: empty at its end, `None` where it breaks off.
    pub async fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = loop {
            if let Some(end) = find(&self.unread, b"\r\n") {
                break self.unread.drain(..end + 2).collect::<Vec<_>>();
            }
            if self.more().await? == 0 {
                return Ok(None);
            }
        };
        let Ok(size) = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16) else {
            return Ok(None);
        };
        let chunk = self.exactly(size + 2).await?;
        Ok(chunk.map(|mut chunk| {
            chunk.truncate(size);
            chunk
        }))
    }

    /// Reads until the connection ends.
    pub async fn end(&mut self) {
        while self.more().await.unwrap_or(0) > 0 {}
    }

    async fn chunks(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if chunk.is_empty() {
                return Ok(Some(body));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(None)
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Option<Vec<u8>>> {
        while self.unread.len() < length {
            if self.more().await? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(self.unread.drain(..length).collect()))
    }

    async fn more(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.unread).await
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
