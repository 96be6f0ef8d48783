//! The cases as data: which points there are, how they are hit, and which combinations exist.

use std::fmt;
use std::ops::RangeInclusive;

/// How many messages are in the queue, or jobs at the API, when the program dies.
pub const MESSAGES: usize = 12;
/// For points that are hit once a batch, the messages are processed in batches of this size.
pub const BATCH: usize = 4;

/// What a point is hit by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HitBy {
    /// Once by every message.
    Message,
    /// Once by every message that is decided: not by one that can't be read, nor by one that was handled before.
    Decision,
    /// Once by every message that is sent out.
    Sending,
    /// Once by every batch that sends something out.
    SendingBatch,
    /// Once by every batch.
    Batch,
    /// Once by every batch of messages that came back.
    Redelivered,
    /// Once by every job.
    Job,
    /// Once by the jobs that happen to be sent together.
    Window,
}

impl HitBy {
    /// Whether the messages are processed in batches smaller than all of them, so that a batch can be aimed at.
    pub const fn is_per_batch(self) -> bool {
        matches!(self, Self::Batch | Self::SendingBatch)
    }
}

/// A place in the life of a message where its program may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// As the armed programs call it.
    pub name: &'static str,
    /// What it is hit by.
    pub hit_by: HitBy,
    /// Whether the batch is committed by then; `None` where nobody can know.
    pub committed: Option<bool>,
    /// Whether the broker may know by then that the batch is done.
    pub acknowledged: bool,
}

const fn point(name: &'static str, hit_by: HitBy, committed: Option<bool>) -> Point {
    Point { name, hit_by, committed, acknowledged: false }
}

/// Of a worker, in the order in which a message comes by.
pub const OF_WORKERS: [Point; 14] = [
    point("delivered", HitBy::Message, Some(false)),
    point("start-recorded", HitBy::Redelivered, Some(false)),
    point("called", HitBy::Batch, Some(false)),
    point("looked-up", HitBy::Batch, Some(false)),
    point("decided", HitBy::Decision, Some(false)),
    point("saved", HitBy::Batch, Some(false)),
    point("recorded", HitBy::Batch, Some(false)),
    point("commit-sent", HitBy::Batch, None),
    point("committed", HitBy::Batch, Some(true)),
    point("published-one", HitBy::Sending, Some(true)),
    point("confirms-pending", HitBy::SendingBatch, Some(true)),
    point("confirmed", HitBy::Batch, Some(true)),
    Point { acknowledged: true, ..point("acknowledging", HitBy::Batch, Some(true)) },
    Point { acknowledged: true, ..point("acknowledged", HitBy::Batch, Some(true)) },
];

/// Of the API, in the order in which a job comes by.
pub const OF_API: [Point; 6] = [
    point("job-read", HitBy::Job, None),
    point("job-sending", HitBy::Job, None),
    point("published-one", HitBy::Job, None),
    point("confirms-pending", HitBy::Window, None),
    point("job-confirmed", HitBy::Job, None),
    point("job-answered", HitBy::Job, None),
];

/// Whose process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The orders worker, which calls nobody.
    Orders,
    /// The payments worker, which calls a gateway.
    Payments,
    /// The API.
    Api,
}

/// Which of the hits is deadly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    First,
    Middle,
    Last,
}

impl Position {
    /// The number of the deadly hit, of this many.
    pub fn of(self, hits: usize) -> usize {
        match self {
            Self::First => 1,
            Self::Middle => hits.div_ceil(2),
            Self::Last => hits,
        }
    }
}

/// How often the program dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deaths {
    Once,
    Twice,
    /// Of the same message, until it is given up.
    UntilGivenUp,
}

/// What becomes of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Refusal,
    /// Not at the first attempt, but later.
    Retry,
    DeadLetter,
    /// Handled already, before they came once more.
    Duplicate,
    /// A job at the API.
    Accepted,
}

#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub target: Target,
    pub point: Point,
    pub position: Position,
    pub deaths: Deaths,
    pub outcome: Outcome,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lower = |name: &dyn fmt::Debug| {
            let name = format!("{name:?}");
            let dashed = name.char_indices().map(|(at, c)| {
                let dash = if at > 0 && c.is_ascii_uppercase() { "-" } else { "" };
                format!("{dash}{}", c.to_ascii_lowercase())
            });
            dashed.collect::<String>()
        };
        let (target, position) = (lower(&self.target), lower(&self.position));
        let (deaths, outcome) = (lower(&self.deaths), lower(&self.outcome));
        write!(f, "{target}/{}/{position}/{deaths}/{outcome}", self.point.name)
    }
}

const POSITIONS: [Position; 3] = [Position::First, Position::Middle, Position::Last];
const OUTCOMES: [Outcome; 5] =
    [Outcome::Success, Outcome::Refusal, Outcome::Retry, Outcome::DeadLetter, Outcome::Duplicate];

/// Every combination, those included that don't exist.
pub fn all() -> impl Iterator<Item = Case> {
    let workers = [Target::Orders, Target::Payments].into_iter().flat_map(|target| {
        OF_WORKERS.into_iter().flat_map(move |point| {
            POSITIONS.into_iter().flat_map(move |position| {
                [Deaths::Once, Deaths::Twice, Deaths::UntilGivenUp].into_iter().flat_map(move |deaths| {
                    OUTCOMES.map(|outcome| Case { target, point, position, deaths, outcome })
                })
            })
        })
    });
    let api = OF_API.into_iter().flat_map(|point| {
        POSITIONS.into_iter().flat_map(move |position| {
            [Deaths::Once, Deaths::Twice].map(|deaths| Case {
                target: Target::Api,
                point,
                position,
                deaths,
                outcome: Outcome::Accepted,
            })
        })
    });
    workers.chain(api)
}

impl Case {
    /// Its line in the table: point and place in the order of a message's life.
    pub fn line(&self) -> (usize, String) {
        let points: &[Point] = if self.target == Target::Api { &OF_API } else { &OF_WORKERS };
        let place = points.iter().position(|point| *point == self.point).unwrap_or_default();
        (place, format!("{:?} {}", self.target, self.point.name).to_lowercase())
    }

    /// How many messages may be given up: the one that kills its program again and again, unless it is committed before.
    pub const fn given_up(&self) -> RangeInclusive<usize> {
        match (self.deaths, self.point.committed) {
            (Deaths::Once | Deaths::Twice, _) | (_, Some(true)) => 0..=0,
            (Deaths::UntilGivenUp, Some(false)) => 1..=1,
            // Nobody can know whether it was committed.
            (Deaths::UntilGivenUp, None) => 0..=1,
        }
    }

    /// Why this combination does not exist, or is left out because another one stands for it.
    pub fn left_out(&self) -> Option<&'static str> {
        let last_is_gone = self.position == Position::Last && self.deaths != Deaths::Once;
        match (self.point.hit_by, self.outcome) {
            (HitBy::Decision, Outcome::DeadLetter) => Some("what can't be read is not decided"),
            (HitBy::Decision, Outcome::Duplicate) => Some("what was handled before is not decided again"),
            (HitBy::Decision, Outcome::Retry) if self.target == Target::Payments => {
                Some("a message whose outside call failed is not decided")
            }
            (HitBy::Sending | HitBy::SendingBatch, Outcome::Refusal) => Some("a refusal sends nothing out"),
            (HitBy::Window, _) if self.position != Position::First => {
                Some("how many jobs are sent together is chance, so only the first time is sure to come")
            }
            _ if self.point.acknowledged && last_is_gone => {
                Some("once the last batch is acknowledged, there may be no message left to die of")
            }
            (_, outcome) if self.deaths == Deaths::UntilGivenUp => self.not_given_up(outcome),
            _ => None,
        }
    }

    /// Giving up counts deaths and looks at nothing else, so one outcome and one position stand for all.
    fn not_given_up(&self, outcome: Outcome) -> Option<&'static str> {
        if outcome != Outcome::Success || self.position != Position::First {
            return Some("giving up does not depend on position and outcome");
        }
        if self.point.hit_by == HitBy::Message {
            return Some("a run that was not written down is not counted");
        }
        if self.point.acknowledged {
            return Some("an acknowledged message does not come back to be died of again");
        }
        None
    }
}

#[cfg(test)]
mod tests;
