//! Counts of what was sent and answered, for people who watch.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::history::Answer;

/// All of it only ever rises.
#[derive(Debug, Default)]
pub struct Meters(Mutex<Counts>);

/// Where they stand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    sent: u64,
    accepted: u64,
    refused: u64,
    /// Answered in a way that leaves it open whether they were accepted.
    unknown: u64,
    /// Jobs of which nothing is under way any more.
    settled: u64,
}

impl Meters {
    pub fn sent(&self) {
        self.locked().sent += 1;
    }

    pub fn answered(&self, answer: &Answer) {
        let mut counts = self.locked();
        match answer {
            Answer::Accepted(_) => counts.accepted += 1,
            Answer::Refused(_) => counts.refused += 1,
            Answer::Unknown(..) => counts.unknown += 1,
        }
    }

    pub fn settled(&self, jobs: u64) {
        self.locked().settled = jobs;
    }

    pub fn counts(&self) -> Counts {
        *self.locked()
    }

    fn locked(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, accepted, refused, unknown, settled } = self;
        write!(
            f,
            "jobs {sent:>7} sent {accepted:>7} accepted {refused:>5} refused {unknown:>5} unknown {settled:>8} settled"
        )
    }
}
