//! How often the log is told of the same kind of problem: a few times a second, so that nobody can fill a disk with it.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

const LINES: u32 = 10;
const WITHIN: Duration = Duration::from_secs(1);

/// What was said of a kind since when.
struct Said {
    since: Instant,
    lines: u32,
}

/// By the kinds' names, of which there is a fixed number.
static SAID: LazyLock<Mutex<HashMap<&'static str, Said>>> = LazyLock::new(Mutex::default);

/// Whether one more line about this kind of problem may be written, which then counts.
pub(super) fn may_say(kind: &'static str) -> bool {
    may_say_at(kind, Instant::now())
}

fn may_say_at(kind: &'static str, now: Instant) -> bool {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let said = said.entry(kind).or_insert(Said { since: now, lines: 0 });
    if now.saturating_duration_since(said.since) >= WITHIN {
        *said = Said { since: now, lines: 0 };
    }
    said.lines += 1;
    said.lines <= LINES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_of_ten_times_a_second_and_others_besides() {
        let now = Instant::now();
        let said = |kind, at| (0..100).filter(|_| may_say_at(kind, at)).count();
        assert_eq!(said("a test's own", now), 10);
        assert_eq!(said("another of the test's own", now), 10);
        assert_eq!(said("a test's own", now + WITHIN), 10);
    }
}
