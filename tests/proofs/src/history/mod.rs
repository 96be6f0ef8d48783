//! The history of a run: what the client did and was answered, and what was broken meanwhile.

mod file;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

use crate::evidence::Digest;

pub use file::{Event, Line, Recorder, read};

/// Why messages are given up that cannot be read, and those that kill their worker again and again.
pub const UNREADABLE: &str = "unreadable";
pub const CRASH: &str = "crash";

/// All of it, put together from the lines of its file.
#[derive(Debug, Default)]
pub struct History {
    pub submits: Vec<Submit>,
    pub copies: Vec<Copy>,
    pub poison: Vec<Poison>,
}

/// One post and its answer.
#[derive(Debug, Clone)]
pub struct Submit {
    pub number: u64,
    pub command: String,
    pub body: Value,
    pub fingerprint: Option<String>,
    pub invoked_at: OffsetDateTime,
    pub answered_at: Option<OffsetDateTime>,
    pub took: Option<Duration>,
    pub answer: Answer,
}

/// What a client knows of a job after it was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone)]
pub struct Copy {
    pub message_id: Uuid,
    pub copies: u32,
}

/// A message that must be given up: it cannot be read, or kills whoever reads it.
#[derive(Debug, Clone)]
pub struct Poison {
    pub message_id: String,
    pub queue: String,
    pub kind: String,
    /// Whether the broker certainly has it.
    pub confirmed: bool,
    /// Why it must be given up, in the word that dead letters have for it.
    pub class: &'static str,
    /// What it said, where that was kept.
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

    /// How the history keeps it.
    pub fn event(self, submit: u64) -> Event {
        match self {
            Self::Accepted(job_id) => Event::Ok { submit, job_id },
            Self::Refused(reason) => Event::Fail { submit, reason },
            Self::Unknown(reason, job_id) => Event::Info { submit, reason, job_id },
        }
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
    pub fn of(lines: Vec<Line>) -> Self {
        let mut history = Self::default();
        let mut places: HashMap<u64, (usize, u64)> = HashMap::new();
        let mut confirmed = HashSet::new();
        for Line { at, since_us, event } in lines {
            let (submit, answer) = match event {
                Event::Invoke { submit, command, body, fingerprint } => {
                    places.insert(submit, (history.submits.len(), since_us));
                    history.submits.push(Submit {
                        number: submit,
                        command,
                        body,
                        fingerprint,
                        invoked_at: at,
                        answered_at: None,
                        took: None,
                        answer: Answer::Unknown("no answer was noted".to_owned(), None),
                    });
                    continue;
                }
                Event::Copy { message_id, copies, .. } => {
                    history.copies.push(Copy { message_id, copies });
                    continue;
                }
                Event::Poison { message_id, queue, kind } => {
                    history.poison.push(Poison {
                        message_id,
                        queue,
                        kind,
                        confirmed: false,
                        class: UNREADABLE,
                        body: None,
                    });
                    continue;
                }
                Event::PoisonConfirmed { message_id } => {
                    confirmed.insert(message_id);
                    continue;
                }
                Event::Ok { submit, job_id } => (submit, Answer::Accepted(job_id)),
                Event::Fail { submit, reason } => (submit, Answer::Refused(reason)),
                Event::Info { submit, reason, job_id } => (submit, Answer::Unknown(reason, job_id)),
            };
            if let Some((place, invoked_us)) = places.get(&submit) {
                let invoked = &mut history.submits[*place];
                invoked.answered_at = Some(at);
                invoked.took = Some(Duration::from_micros(since_us.saturating_sub(*invoked_us)));
                invoked.answer = answer;
            }
        }
        for poison in &mut history.poison {
            poison.confirmed = confirmed.contains(&poison.message_id);
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

    fn line(since_us: u64, event: Event) -> Line {
        Line { at: OffsetDateTime::UNIX_EPOCH, since_us, event }
    }

    fn invoke(submit: u64) -> Event {
        Event::Invoke { submit, command: "orders.cancel".to_owned(), body: json!({}), fingerprint: None }
    }

    #[test]
    fn an_answer_finds_its_submit_and_none_is_unknown() {
        let job_id = Uuid::from_u128(7);
        let history = History::of(vec![
            line(10, invoke(1)),
            line(20, invoke(2)),
            line(35, Event::Ok { submit: 2, job_id }),
        ]);
        assert!(matches!(history.submits[0].answer, Answer::Unknown(_, None)));
        assert_eq!(history.submits[1].answer, Answer::Accepted(job_id));
        assert_eq!(history.submits[1].took, Some(Duration::from_micros(15)));
        assert_eq!(history.accepted().count(), 1);
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let text = serde_json::to_string(&line(10, invoke(3))).expect("plain data");
        let read: Line = serde_json::from_str(&text).expect("what was written");
        assert!(matches!(read.event, Event::Invoke { submit: 3, .. }) && read.since_us == 10);
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
