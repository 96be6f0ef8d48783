//! Waits until nothing is under way any more.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::checker::follow::Follower;
use crate::checker::options::Options;
use crate::evidence::{Queue, queues};

const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// The broker's count of what is unacknowledged is up to five seconds old.
const STAYS_QUIET: Duration = Duration::from_secs(7);
/// With all queues empty for so long, what is still expected will not come any more.
const STANDSTILL: Duration = Duration::from_secs(25);

/// How it came to an end.
#[derive(Debug, Clone)]
pub enum Quiet {
    /// Everything is handled and every queue is empty, since this long after it was healed.
    Yes { after: Duration },
    /// Every queue is empty and nothing moves, but something that is expected has not come. The rules say what.
    Standstill,
    /// Something is still under way.
    No { what: String },
}

/// Looks until all is quiet, or the time is over.
pub async fn wait(options: &Options, follower: &mut Follower, taken: &[Uuid]) -> Quiet {
    let began = Instant::now();
    let (mut empty_since, mut done_since) = (None, None);
    loop {
        let (what, moved, done) = match look(options, follower, taken).await {
            Ok(look) => (look.to_string(), look.moved > 0 || !look.busy.is_empty(), look.is_done()),
            Err(error) => (error, true, false),
        };
        let now = Instant::now();
        let empty = *if moved { empty_since.insert(now) } else { empty_since.get_or_insert(now) };
        let finished = *if moved || !done { done_since.insert(now) } else { done_since.get_or_insert(now) };
        if now - finished >= STAYS_QUIET {
            return Quiet::Yes { after: finished - began };
        }
        if now - empty >= STANDSTILL {
            return Quiet::Standstill;
        }
        if began.elapsed() > options.workload.injections.quiet_within {
            return Quiet::No { what };
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

#[derive(Debug)]
struct Look {
    /// Messages that have come to an end since the last look.
    moved: usize,
    /// Queues that hold something.
    busy: Vec<Queue>,
    expected: usize,
    not_begun: usize,
}

impl Look {
    fn is_done(&self) -> bool {
        self.busy.is_empty() && self.expected == 0 && self.not_begun == 0
    }
}

impl std::fmt::Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} jobs not begun, {} follow-ups expected", self.not_begun, self.expected)?;
        for Queue { name, ready, unacked } in &self.busy {
            write!(f, ", {name}: {ready} ready and {unacked} unacknowledged")?;
        }
        Ok(())
    }
}

async fn look(options: &Options, follower: &mut Follower, taken: &[Uuid]) -> Result<Look, String> {
    let moved = follower.catch_up().await.map_err(|error| format!("the database can't be read: {error}"))?;
    let queues = queues(&options.endpoints).await.map_err(|error| error.to_string())?;
    let parked = |queue: &Queue| queue.name.ends_with(".dead") || queue.name == "unrouted";
    Ok(Look {
        moved,
        busy: queues.into_iter().filter(|queue| !parked(queue) && queue.ready + queue.unacked > 0).collect(),
        expected: follower.expected(),
        not_begun: taken.iter().filter(|job| !follower.has_begun(**job)).count(),
    })
}
