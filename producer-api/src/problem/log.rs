//! Limits log lines of one kind of problem to a few a second, so that no client can fill a disk.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

const LINES: u32 = 10;
const WITHIN: Duration = Duration::from_secs(1);

/// How many lines were written since when.
struct Written {
    since: Instant,
    lines: u32,
}

/// By the kinds' names, of which there is a fixed number.
static WRITTEN: LazyLock<Mutex<HashMap<&'static str, Written>>> = LazyLock::new(Mutex::default);

/// Whether one more line about this kind of problem may be written. If so, it is counted.
pub(super) fn may_write(kind: &'static str) -> bool {
    may_write_at(kind, Instant::now())
}

fn may_write_at(kind: &'static str, now: Instant) -> bool {
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    let written = written.entry(kind).or_insert(Written { since: now, lines: 0 });
    if now.saturating_duration_since(written.since) >= WITHIN {
        *written = Written { since: now, lines: 0 };
    }
    written.lines += 1;
    written.lines <= LINES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_logged_ten_times_a_second_and_others_besides() {
        let now = Instant::now();
        let written = |kind, at| (0..100).filter(|_| may_write_at(kind, at)).count();
        assert_eq!(written("a test's own", now), 10);
        assert_eq!(written("another of the test's own", now), 10);
        assert_eq!(written("a test's own", now + WITHIN), 10);
    }
}
