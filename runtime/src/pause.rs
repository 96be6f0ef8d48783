//! Pausing while the database is away: the lane holds its batch, uses up no attempt, reports that it is not ready, and asks
//! again with growing distance.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;
use millrace_service::{Check, Readiness};

/// The readiness check that outages turn off, for each lane.
pub const DATABASE: &str = "database";

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
    readiness: Readiness,
    lane: usize,
    waits: ExponentialBackoff,
    /// Whether the database did what it was last asked; `None` before that.
    available: Option<bool>,
}

impl Pause {
    /// The pause of the lane with this number, which reports outages to this readiness.
    pub fn new(readiness: Readiness, lane: usize) -> Self {
        Self { readiness, lane, waits: waits(), available: None }
    }

    /// Waits before the database is asked again; longer each time.
    pub async fn wait(&mut self, reason: &str) {
        if self.available.replace(false) != Some(false) {
            metrics::counter!("millrace_pauses_total").increment(1);
            tracing::warn!(
                "Paused until the database is back; the messages delivered so far are held: {reason}"
            );
            // The reason names tables and hosts, which are for the log only.
            let shown = "the database is not usable; see the log".to_owned();
            self.readiness.set_part(DATABASE, self.lane, Check::NotReady(shown));
        }
        tokio::time::sleep(self.waits.next_backoff().unwrap_or(Duration::from_secs(2))).await;
    }

    /// The database has done what it was asked.
    pub fn over(&mut self) {
        self.waits.reset();
        let before = self.available.replace(true);
        if before == Some(false) {
            tracing::info!("The database is back");
        }
        if before != Some(true) {
            self.readiness.set_part(DATABASE, self.lane, Check::Ready);
        }
    }
}
