//! Reading answers off a connection: heads, bodies, and bodies in chunks.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

use super::{Answer, Head, Heard};

/// No head of the door's is larger.
const HEAD_MAX: usize = 256 * 1024;

/// What a door says on a connection.
#[derive(Debug)]
pub struct Hearing {
    stream: OwnedReadHalf,
    /// What came and was not read yet.
    unread: Vec<u8>,
}

impl Hearing {
    pub fn of(stream: OwnedReadHalf) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// A whole answer; of a stream of events, only its head.
    pub async fn answer(&mut self, to_head: bool) -> io::Result<Heard> {
        let head = loop {
            let head = match self.head().await? {
                Ok(head) => head,
                Err(heard) => return Ok(heard),
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
        Ok(body.map_or(Heard::Closed, |body| Heard::Answer(Answer { head, body })))
    }

    /// Status and headers, or why there are none.
    pub async fn head(&mut self) -> io::Result<Result<Head, Heard>> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                let text: Vec<u8> = self.unread.drain(..end + 4).collect();
                let nonsense = || Heard::Nonsense(String::from_utf8_lossy(&text).into_owned());
                return Ok(Head::read(&text).ok_or_else(nonsense));
            }
            if self.unread.len() > HEAD_MAX {
                return Ok(Err(Heard::Nonsense("a head without an end".to_owned())));
            }
            if self.more().await? == 0 {
                return Ok(Err(Heard::Closed));
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

    /// Reads on until nothing comes any more.
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
