//! A body cut into lines, none of which takes more memory than it may.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::StreamExt;
use futures_util::stream::{self, Stream};

/// A line of a body, or what came in place of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Without its end.
    Whole(Vec<u8>),
    /// Longer than a job may be; the rest of it was skipped.
    TooLong { max_bytes: usize },
    /// Nothing came for too long. The last of the lines.
    TooSlow { deadline_ms: u128 },
    /// The body ended in the middle. The last of the lines.
    BrokenOff,
}

/// The lines of a body; empty ones are left out. A client that sends nothing for as long as `patience` is not waited for.
pub(super) fn lines(body: Body, max_bytes: usize, patience: Duration) -> impl Stream<Item = Line> {
    let reader = Reader {
        chunks: body.into_data_stream(),
        chunk: Bytes::new(),
        line: Vec::new(),
        skipping: false,
        ended: false,
        max_bytes,
        patience,
    };
    stream::unfold(reader, |mut reader| async move { reader.next().await.map(|line| (line, reader)) })
}

struct Reader {
    chunks: BodyDataStream,
    chunk: Bytes,
    line: Vec<u8>,
    /// The rest of a line that is too long.
    skipping: bool,
    ended: bool,
    max_bytes: usize,
    patience: Duration,
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
            match tokio::time::timeout(self.patience, self.chunks.next()).await {
                Ok(Some(Ok(chunk))) => self.chunk = chunk,
                Ok(Some(Err(_))) => return self.end_with(Line::BrokenOff),
                Err(_) => return self.end_with(Line::TooSlow { deadline_ms: self.patience.as_millis() }),
                Ok(None) => {
                    self.ended = true;
                    if let Some(last) = self.finished() {
                        return Some(last);
                    }
                }
            }
        }
    }

    /// The next line that ends in the chunk at hand. What is left of the chunk begins the line after it.
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

    /// The line as it is now, unless there is nothing in it.
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
