//! Cuts a body into lines, each of which takes a bounded amount of memory.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::StreamExt;
use futures_util::stream::{self, Stream};

/// A line of a body, or what came in place of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its line break.
    Whole(Vec<u8>),
    /// A line that is longer than a job may be. The rest of it was skipped.
    TooLong { max_bytes: usize },
    /// Nothing arrived for too long. No further line follows.
    TooSlow { deadline_ms: u128 },
    /// The body ended before it was complete. No further line follows.
    BrokenOff,
}

/// The lines of a body, without empty ones. They end when the client sends nothing for as long as `deadline`.
pub(super) fn lines(body: Body, max_bytes: usize, deadline: Duration) -> impl Stream<Item = Line> {
    let reader = Reader {
        chunks: body.into_data_stream(),
        chunk: Bytes::new(),
        line: Vec::new(),
        skipping: false,
        ended: false,
        max_bytes,
        deadline,
    };
    stream::unfold(reader, |mut reader| async move { reader.next().await.map(|line| (line, reader)) })
}

struct Reader {
    chunks: BodyDataStream,
    chunk: Bytes,
    line: Vec<u8>,
    /// Whether the rest of a line is skipped because it is too long.
    skipping: bool,
    ended: bool,
    max_bytes: usize,
    deadline: Duration,
}

impl Reader {
    async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.cut() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            match tokio::time::timeout(self.deadline, self.chunks.next()).await {
                Ok(Some(Ok(chunk))) => self.chunk = chunk,
                Ok(Some(Err(_))) => return self.end_with(Line::BrokenOff),
                Err(_) => return self.end_with(Line::TooSlow { deadline_ms: self.deadline.as_millis() }),
                Ok(None) => {
                    self.ended = true;
                    if let Some(last) = self.finished() {
                        return Some(last);
                    }
                }
            }
        }
    }

    /// The next line that ends within the current chunk.
    fn cut(&mut self) -> Option<Line> {
        while !self.chunk.is_empty() {
            let end = self.chunk.iter().position(|byte| *byte == b'\n');
            let part = self.chunk.split_to(end.map_or(self.chunk.len(), |end| end + 1));
            let part = part.strip_suffix(b"\n").unwrap_or(&part);
            if self.line.len() + part.len() > self.max_bytes {
                self.skipping = true;
                self.line.clear();
            }
            if !self.skipping {
                self.line.extend_from_slice(part);
            }
            if end.is_some()
                && let Some(line) = self.finished()
            {
                return Some(line);
            }
        }
        None
    }

    /// The line read so far, unless it is empty.
    fn finished(&mut self) -> Option<Line> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.skipping) {
            return Some(Line::TooLong { max_bytes: self.max_bytes });
        }
        (!line.trim_ascii().is_empty()).then_some(Line::Whole(line))
    }

    fn end_with(&mut self, line: Line) -> Option<Line> {
        self.ended = true;
        self.line.clear();
        self.skipping = false;
        Some(line)
    }
}
