//! Probation: how a process takes up its work when it has just started, or has lost its subscription.
//!
//! A message that kills the process or its connection takes back with it whatever was delivered along, and for all of
//! that the broker counts one return; at its limit it gives them up. So one lane begins alone, with a window of one
//! delivery, and doubles it each time that a window came to its end. The broker delivers those that came back before all
//! others: as soon as a window shows none that has come back often, the worst are through and all lanes may work.

use std::sync::atomic::{AtomicU16, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// What the lanes of a process share.
#[derive(Debug)]
pub struct Probation {
    /// How many deliveries the next window has; over when it would be the ordinary prefetch.
    window: AtomicU16,
    prefetch: u16,
    turn: Semaphore,
}

/// The right to be the one lane that works.
#[derive(Debug)]
pub struct Turn<'a> {
    probation: &'a Probation,
    _permit: SemaphorePermit<'a>,
}

impl Probation {
    /// At its beginning, for lanes that will have so many messages delivered.
    pub fn new(prefetch: u16) -> Self {
        Self { window: AtomicU16::new(1), prefetch, turn: Semaphore::new(1) }
    }

    /// Waits until probation is over for all lanes, `None`, or it is this lane's turn to try.
    pub async fn enter(&self) -> Option<Turn<'_>> {
        let permit = self.turn.acquire().await.ok()?;
        let over = self.window.load(Ordering::SeqCst) >= self.prefetch;
        (!over).then_some(Turn { probation: self, _permit: permit })
    }

    /// A subscription was lost: the cause may be a message.
    pub fn begin_again(&self) {
        self.window.store(1, Ordering::SeqCst);
    }
}

impl Turn<'_> {
    /// How many messages this lane may have delivered.
    pub fn window(&self) -> u16 {
        self.probation.window.load(Ordering::SeqCst)
    }

    /// The window came to its end, and there were messages in it that have come back often: more of them may follow.
    pub fn widen(self) {
        self.probation.window.store(self.window().saturating_mul(2), Ordering::SeqCst);
    }

    /// The window came to its end without such messages.
    pub fn pass(self) {
        self.probation.window.store(u16::MAX, Ordering::SeqCst);
    }
}
