//! The history: what was asked and what was answered, line by line, on disk within 100 milliseconds.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Error;

const SYNC_EVERY: Duration = Duration::from_millis(100);

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// Wall clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Microseconds since the run began, by a clock that never jumps.
    pub since_us: u64,
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A job is about to be posted.
    Invoke {
        submit: u64,
        command: String,
        body: Value,
        /// Of the body as the API puts it onto the wire, where that is known beforehand.
        fingerprint: Option<String>,
    },
    /// 202.
    Ok { submit: u64, job_id: Uuid },
    /// Certainly nothing was queued.
    Fail { submit: u64, reason: String },
    /// Nobody knows.
    Info { submit: u64, reason: String, job_id: Option<Uuid> },
    /// A copy of a message is about to be published.
    Copy { message_id: Uuid, message_type: String, copies: u32, late: bool },
    /// An unreadable message is about to be published.
    Poison { message_id: String, queue: String, kind: String },
    /// The broker has it.
    PoisonConfirmed { message_id: String },
}

/// Writes lines. Cheap to share.
#[derive(Debug, Clone)]
pub struct Recorder {
    lines: Sender<Line>,
    began: Instant,
}

/// The end of the recorder that waits until all is on disk.
#[derive(Debug)]
pub struct Recording {
    writer: JoinHandle<std::io::Result<()>>,
}

impl Recorder {
    /// Begins a new history in this file.
    pub fn create(path: &Path) -> Result<(Self, Recording), Error> {
        let file = File::create(path).map_err(Error::file(path))?;
        let (lines, to_write) = channel();
        let writer = std::thread::spawn(move || write(file, &to_write));
        Ok((Self { lines, began: Instant::now() }, Recording { writer }))
    }

    /// Notes what happens now.
    pub fn note(&self, event: Event) {
        let since_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        // Fails only where the disk did, which `Recording::finish` tells.
        let _ = self.lines.send(Line { at: OffsetDateTime::now_utc(), since_us, event });
    }
}

impl Recording {
    /// Waits until all is on disk. Every recorder must be gone by then.
    pub fn finish(self, path: &Path) -> Result<(), Error> {
        let panicked = |_| Err(std::io::Error::other("the writer panicked"));
        self.writer.join().unwrap_or_else(panicked).map_err(Error::file(path))
    }
}

fn write(file: File, lines: &Receiver<Line>) -> std::io::Result<()> {
    let mut file = BufWriter::new(file);
    let (mut synced, mut dirty) = (Instant::now(), false);
    loop {
        let received = lines.recv_timeout(SYNC_EVERY);
        if let Ok(line) = &received {
            serde_json::to_writer(&mut file, line)?;
            file.write_all(b"\n")?;
            dirty = true;
        }
        let ended = matches!(received, Err(RecvTimeoutError::Disconnected));
        if dirty && (ended || synced.elapsed() >= SYNC_EVERY) {
            file.flush()?;
            file.get_ref().sync_data()?;
            (synced, dirty) = (Instant::now(), false);
        }
        if ended {
            return Ok(());
        }
    }
}

/// Reads a file of one JSON value per line; one that does not exist is empty.
pub fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file(path)(error)),
    };
    let mut lines = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(Error::file(path))?;
        let unreadable = Error::doing(format!(
            "{}, line {}, was cut off or not written by this version",
            path.display(),
            number + 1
        ));
        lines.push(serde_json::from_str(&line).map_err(|error: serde_json::Error| unreadable(error))?);
    }
    Ok(lines)
}
