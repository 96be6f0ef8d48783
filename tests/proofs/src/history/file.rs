//! The history as a file: what was asked and what was answered, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Error;

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
    lines: Arc<Mutex<Lines>>,
    began: Instant,
}

#[derive(Debug)]
struct Lines {
    file: BufWriter<File>,
    /// Up to the first line that could not be written, which ends the recording.
    written: io::Result<()>,
}

impl Recorder {
    /// Begins a new history in this file.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = BufWriter::new(File::create(path).map_err(Error::file(path))?);
        Ok(Self { lines: Arc::new(Mutex::new(Lines { file, written: Ok(()) })), began: Instant::now() })
    }

    /// Notes what happens now.
    pub fn note(&self, event: Event) {
        let since_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let line = Line { at: OffsetDateTime::now_utc(), since_us, event };
        let Lines { file, written } = &mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if written.is_ok() {
            let text = serde_json::to_string(&line).map_err(io::Error::from);
            *written = text.and_then(|text| writeln!(file, "{text}"));
        }
    }

    /// Whether all could be written; then it is in the file.
    pub fn finish(&self, path: &Path) -> Result<(), Error> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let written = std::mem::replace(&mut lines.written, Ok(()));
        written.and_then(|()| lines.file.flush()).map_err(Error::file(path))
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
