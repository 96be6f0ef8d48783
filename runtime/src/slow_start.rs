//! Slow start: how a process takes messages when it has just started, or has lost its subscription.
//!
//! A message that kills the process or its connection takes back with it whatever was delivered along, and for all of that
//! the broker counts one more delivery; at its limit it gives them up. So one lane begins alone, with a window of one
//! delivery, and doubles it each time that a window came to its end. The broker delivers returned messages before all
//! others: as soon as a window has none that was redelivered often, the worst are through and all lanes may work.

use std::sync::atomic::{AtomicU16, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// What the lanes of a process share.
#[derive(Debug)]
pub struct SlowStart {
    /// How many deliveries the next window has. Slow start is over when it reaches the ordinary prefetch.
    window: AtomicU16,
    prefetch: u16,
    only_lane: Semaphore,
}

/// The right to be the one lane that works.
#[derive(Debug)]
pub struct Permit<'a> {
    slow_start: &'a SlowStart,
    _only_lane: SemaphorePermit<'a>,
}

/// The most often redelivered kind of message that a window has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Redelivery {
    /// The window has had no message.
    NoMessage,
    /// None that was redelivered often.
    Seldom,
    /// At least one that was redelivered often: more of them may follow.
    Often,
}

impl SlowStart {
    /// At its beginning, for lanes with this prefetch.
    pub fn new(prefetch: u16) -> Self {
        Self { window: AtomicU16::new(1), prefetch, only_lane: Semaphore::new(1) }
    }

    /// Waits until slow start is over for all lanes, `None`, or this lane is the one that may work. `waiting` is called where
    /// another one is.
    pub async fn enter(&self, waiting: impl FnOnce()) -> Option<Permit<'_>> {
        let permit = match self.only_lane.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                waiting();
                self.only_lane.acquire().await.ok()?
            }
        };
        let over = self.window.load(Ordering::SeqCst) >= self.prefetch;
        (!over).then_some(Permit { slow_start: self, _only_lane: permit })
    }

    /// A subscription was lost: the cause may be a message.
    pub fn begin_again(&self) {
        self.window.store(1, Ordering::SeqCst);
    }
}

impl Permit<'_> {
    /// How many messages this lane may have delivered.
    pub fn window(&self) -> u16 {
        self.slow_start.window.load(Ordering::SeqCst)
    }

    /// The window came to its end, and has had such messages.
    pub fn window_ended(self, redelivery: Redelivery) {
        let window = match redelivery {
            Redelivery::NoMessage => return,
            Redelivery::Seldom => u16::MAX,
            Redelivery::Often => self.window().saturating_mul(2),
        };
        self.slow_start.window.store(window, Ordering::SeqCst);
    }
}
