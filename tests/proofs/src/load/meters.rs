//! Counts of what was sent and answered, for the line per second.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::history::Answer;

/// All of it only ever rises.
#[derive(Debug, Default)]
pub struct Meters {
    sent: AtomicU64,
    ok: AtomicU64,
    failed: AtomicU64,
    unknown: AtomicU64,
    settled: AtomicU64,
}

impl Meters {
    pub fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub fn answered(&self, answer: &Answer) {
        let counter = match answer {
            Answer::Accepted(_) => &self.ok,
            Answer::Refused(_) => &self.failed,
            Answer::Unknown(..) => &self.unknown,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn settled(&self, jobs: u64) {
        self.settled.store(jobs, Ordering::Relaxed);
    }

    /// The line.
    pub fn line(&self) -> Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "sent": read(&self.sent),
            "ok": read(&self.ok),
            "failed": read(&self.failed),
            "unknown": read(&self.unknown),
            "settled": read(&self.settled),
        })
    }
}
