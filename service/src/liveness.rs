//! Liveness: heartbeats of a process's loops. `/healthz` fails when one of them has stopped, so that the process is restarted.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How often a loop that only waits shows that it is still there.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// The loops of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct Liveness {
    silence_max: Duration,
    loops: Arc<Mutex<Vec<Loop>>>,
}

#[derive(Debug)]
struct Loop {
    name: String,
    last_beat: Weak<Mutex<Instant>>,
}

/// One loop's sign of life. The loop has ended when it is dropped, and is not missed then.
#[derive(Debug)]
pub struct Heartbeat {
    last_beat: Arc<Mutex<Instant>>,
}

impl Liveness {
    /// Without any loop yet. One that shows no sign of life for `silence_max` counts as stuck.
    #[must_use]
    pub fn new(silence_max: Duration) -> Self {
        Self { silence_max, loops: Arc::default() }
    }

    /// Watches a loop from now on.
    #[must_use]
    pub fn watch(&self, name: impl Into<String>) -> Heartbeat {
        let last_beat = Arc::new(Mutex::new(Instant::now()));
        let watched = Loop { name: name.into(), last_beat: Arc::downgrade(&last_beat) };
        self.loops.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
        Heartbeat { last_beat }
    }

    /// The names of the loops that are stuck.
    pub(crate) fn now(&self) -> LivenessReport {
        let loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let stuck: Vec<String> = loops
            .iter()
            .filter(|watched| {
                let last_beat = watched.last_beat.upgrade();
                last_beat.is_some_and(|last| read(&last).elapsed() > self.silence_max)
            })
            .map(|watched| watched.name.clone())
            .collect();
        LivenessReport { alive: stuck.is_empty(), stuck }
    }
}

impl Heartbeat {
    /// The loop has come a step further.
    pub fn beat(&self) {
        *self.last_beat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits for something that may take any time, such as a connection, and beats meanwhile.
    pub async fn while_waiting<T>(&self, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        loop {
            self.beat();
            if let Ok(done) = tokio::time::timeout(BEAT_EVERY, wait.as_mut()).await {
                return done;
            }
        }
    }
}

fn read(last_beat: &Mutex<Instant>) -> Instant {
    *last_beat.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of `/healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LivenessReport {
    pub alive: bool,
    /// The loops that have shown no sign of life for too long.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<String>,
}
