//! Probation: how a process takes up its work when it has just started, or has lost its subscription.
//!
//! A message that kills the process or its connection takes back with it whatever was delivered along, and for all of
//! that the broker counts one return; at its limit it gives them up. So one lane begins alone, and has one message at a
//! time delivered, until it meets one that need not be worked alone. The broker delivers those that came back before all
//! others, so by then the worst are through.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// What the lanes of a process share.
#[derive(Debug)]
pub struct Probation {
    passed: AtomicBool,
    turn: Semaphore,
}

/// The right to be the one lane that works.
#[derive(Debug)]
pub struct Turn<'a> {
    probation: &'a Probation,
    _permit: SemaphorePermit<'a>,
}

impl Default for Probation {
    fn default() -> Self {
        Self { passed: AtomicBool::new(false), turn: Semaphore::new(1) }
    }
}

impl Probation {
    /// Waits until probation is over for all lanes, `None`, or it is this lane's turn to try.
    pub async fn enter(&self) -> Option<Turn<'_>> {
        let permit = self.turn.acquire().await.ok()?;
        let passed = self.passed.load(Ordering::SeqCst);
        (!passed).then_some(Turn { probation: self, _permit: permit })
    }

    /// A subscription was lost: the cause may be a message.
    pub fn begin_again(&self) {
        self.passed.store(false, Ordering::SeqCst);
    }
}

impl Turn<'_> {
    /// A message that need not be worked alone was met.
    pub fn pass(&self) {
        self.probation.passed.store(true, Ordering::SeqCst);
    }
}
