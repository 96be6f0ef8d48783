//! The history of a run, in memory and line by line in files: what the client did and was answered, and what was broken.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

use crate::error::Error;
use crate::evidence::Digest;

/// Why messages are given up that cannot be read, and those that kill their worker again and again.
pub const UNREADABLE: &str = "unreadable";
pub const CRASH: &str = "crash";

/// All of it.
#[derive(Debug, Default)]
pub struct History {
    pub submits: Vec<Submit>,
    pub copies: Vec<Copy>,
    pub poison: Vec<Poison>,
}

/// What a line of its file tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    Submit(Submit),
    Copy(Copy),
    Poison(Poison),
}

/// Writes lines. Cheap to share.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    file: BufWriter<File>,
    /// Up to the first line that could not be written, which ends the recording.
    written: io::Result<()>,
}

/// One post and its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Submit {
    pub number: u64,
    pub command: String,
    pub body: Value,
    /// Of the body as the API puts it onto the wire, where that is known beforehand.
    pub fingerprint: Option<String>,
    #[serde(with = "rfc3339")]
    pub invoked_at: OffsetDateTime,
    #[serde(with = "rfc3339::option")]
    pub answered_at: Option<OffsetDateTime>,
    pub took: Option<Duration>,
    pub answer: Answer,
}

/// What a client knows of a job after it was posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// 202: from now on the job may not be lost.
    Accepted(Uuid),
    /// Certainly nothing was queued, and why.
    Refused(String),
    /// Nobody knows whether it was queued, and why; and the id it has if it was, where that was told. No answer at all
    /// counts as this, too.
    Unknown(String, Option<Uuid>),
}

/// Copies of a message that were published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Copy {
    pub message_id: Uuid,
    pub copies: u32,
}

/// A message that must be given up: it cannot be read, or kills whoever reads it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Poison {
    pub message_id: String,
    pub queue: String,
    pub kind: String,
    /// Whether the broker certainly has it.
    pub confirmed: bool,
    /// Why it must be given up, in the word that dead letters have for it.
    pub class: String,
    /// What it said, where that was kept.
    #[serde(skip)]
    pub body: Option<Digest>,
}

/// Something that was broken on purpose.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    pub kind: String,
    pub target: String,
    #[serde(with = "rfc3339")]
    pub started_at: OffsetDateTime,
    /// What was done is undone.
    #[serde(with = "rfc3339::option")]
    pub healed_at: Option<OffsetDateTime>,
    /// A server that was away answered again.
    #[serde(with = "rfc3339::option")]
    pub back_at: Option<OffsetDateTime>,
}

impl Answer {
    pub fn job_id(&self) -> Option<Uuid> {
        match self {
            Self::Accepted(job) => Some(*job),
            Self::Refused(_) => None,
            Self::Unknown(_, job) => *job,
        }
    }

    /// Whether the same job would be accepted later.
    pub fn is_refused_for_now(&self) -> bool {
        matches!(self, Self::Refused(reason) if !reason.starts_with('4'))
    }

    /// Why it was not accepted; empty where it was.
    pub fn reason(&self) -> &str {
        match self {
            Self::Accepted(_) => "",
            Self::Refused(reason) | Self::Unknown(reason, _) => reason,
        }
    }
}

impl Submit {
    /// An id in its body.
    pub fn id_of(&self, field: &str) -> Option<Uuid> {
        self.body[field].as_str()?.parse().ok()
    }

    /// A sum over its lines, where it is an order.
    pub fn total(&self) -> Option<i64> {
        let lines = self.body["lines"].as_array()?;
        lines.iter().map(|line| Some(line["quantity"].as_i64()? * line["unit_price_minor"].as_i64()?)).sum()
    }

    /// For people: which one it is.
    pub fn name(&self) -> String {
        format!("submit {} ({})", self.number, self.command)
    }
}

impl History {
    pub fn of(events: Vec<Event>) -> Self {
        let mut history = Self::default();
        for event in events {
            match event {
                Event::Submit(submit) => history.submits.push(submit),
                Event::Copy(copy) => history.copies.push(copy),
                Event::Poison(poison) => history.poison.push(poison),
            }
        }
        history
    }

    /// Those that were answered with 202, with their jobs.
    pub fn accepted(&self) -> impl Iterator<Item = (&Submit, Uuid)> {
        self.submits.iter().filter_map(|submit| match submit.answer {
            Answer::Accepted(job) => Some((submit, job)),
            Answer::Refused(_) | Answer::Unknown(..) => None,
        })
    }
}

impl Recorder {
    /// Begins a new history in this file.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = BufWriter::new(File::create(path).map_err(Error::file(path))?);
        Ok(Self(Arc::new(Mutex::new(Lines { file, written: Ok(()) }))))
    }

    pub fn note(&self, event: &Event) {
        let Lines { file, written } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.is_ok() {
            let text = serde_json::to_string(event).map_err(io::Error::from);
            *written = text.and_then(|text| writeln!(file, "{text}"));
        }
    }

    /// Whether all could be written; then it is in the file.
    pub fn finish(&self, path: &Path) -> Result<(), Error> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = std::mem::replace(&mut lines.written, Ok(()));
        written.and_then(|()| lines.file.flush()).map_err(Error::file(path))
    }
}

/// Reads a file of one JSON value per line; one that does not exist is empty.
pub fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file(path)(error)),
    };
    let unreadable = |line: usize| Error::doing(format!("{}, line {line}", path.display()));
    let lines = BufReader::new(file).lines().enumerate();
    lines
        .map(|(number, line)| {
            let line = line.map_err(Error::file(path))?;
            serde_json::from_str(&line).map_err(|error: serde_json::Error| unreadable(number + 1)(error))
        })
        .collect()
}

impl Fault {
    /// One that begins now.
    pub fn begins(kind: impl ToString, target: impl ToString) -> Self {
        let (kind, target) = (kind.to_string(), target.to_string());
        Self { kind, target, started_at: OffsetDateTime::now_utc(), healed_at: None, back_at: None }
    }

    /// From now on what was done is undone, if it was not before.
    pub fn heals(&mut self) {
        self.healed_at.get_or_insert_with(OffsetDateTime::now_utc);
    }

    /// From now on the server answers again.
    pub fn is_back(&mut self) {
        self.back_at = Some(OffsetDateTime::now_utc());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let job = Uuid::from_u128(7);
        let submit = Submit {
            number: 3,
            command: "orders.cancel".to_owned(),
            body: json!({}),
            fingerprint: None,
            invoked_at: OffsetDateTime::UNIX_EPOCH,
            answered_at: None,
            took: Some(Duration::from_micros(15)),
            answer: Answer::Accepted(job),
        };
        let text = serde_json::to_string(&Event::Submit(submit)).expect("plain data");
        let history = History::of(vec![serde_json::from_str(&text).expect("what was written")]);
        let (read, accepted) = history.accepted().next().expect("it was accepted");
        assert_eq!((read.number, read.took, accepted), (3, Some(Duration::from_micros(15)), job));
    }

    #[test]
    fn a_fault_is_read_as_it_was_written() {
        let mut fault = Fault::begins("broker-killed", "broker");
        fault.heals();
        let text = serde_json::to_string(&fault).expect("plain data");
        let read: Fault = serde_json::from_str(&text).expect("what was written");
        assert_eq!((read.kind, read.target), (fault.kind, fault.target));
        assert_eq!(
            (read.started_at, read.healed_at, read.back_at),
            (fault.started_at, fault.healed_at, None)
        );
    }
}
