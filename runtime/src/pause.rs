//! Pausing while the database is away: the lane holds its batch, uses up no attempt, reports that it is not ready, and asks
//! again with growing distance.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;
use millrace_service::{Check, Readiness};

/// The readiness check that outages turn off.
pub const DATABASE: &str = "database";

/// How many lanes of a process are waiting for the database; clones share it.
#[derive(Debug, Clone)]
pub struct Pauses {
    readiness: Readiness,
    waiting: Arc<AtomicUsize>,
}

impl Pauses {
    /// Reports outages to this readiness.
    #[must_use]
    pub fn new(readiness: Readiness) -> Self {
        Self { readiness, waiting: Arc::default() }
    }

    /// A lane's own pause.
    #[must_use]
    pub fn lane(&self) -> Pause {
        Pause { pauses: self.clone(), waits: waits(), paused: false }
    }
}

/// 50 ms at first, at most 2 s: notices soon that the database is back, without hammering one that is still down.
fn waits() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(50))
        .with_max_interval(Duration::from_secs(2))
        .with_max_elapsed_time(None)
        .build()
}

/// One lane's pause.
#[derive(Debug)]
pub struct Pause {
    pauses: Pauses,
    waits: ExponentialBackoff,
    paused: bool,
}

impl Pause {
    /// Waits before the database is asked again; longer each time.
    pub async fn wait(&mut self, reason: &str) {
        if !self.paused {
            self.paused = true;
            self.pauses.waiting.fetch_add(1, Ordering::SeqCst);
            metrics::counter!("millrace_pauses_total").increment(1);
            tracing::warn!(
                "Paused until the database is back; the messages delivered so far are held: {reason}"
            );
        }
        // The reason names tables and hosts, which are for the log only.
        let shown = "the database is not usable; see the log".to_owned();
        self.pauses.readiness.set(DATABASE, Check::NotReady(shown));
        tokio::time::sleep(self.waits.next_backoff().unwrap_or(Duration::from_secs(2))).await;
    }

    /// The database has done what it was asked.
    pub fn over(&mut self) {
        self.waits.reset();
        if self.paused {
            self.paused = false;
            self.pauses.waiting.fetch_sub(1, Ordering::SeqCst);
            tracing::info!("The database is back");
        }
        if self.pauses.waiting.load(Ordering::SeqCst) == 0 {
            self.pauses.readiness.set(DATABASE, Check::Ready);
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        if self.paused {
            self.pauses.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
