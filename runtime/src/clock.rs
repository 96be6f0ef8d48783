//! What time it is: asked once per batch and handed on, so that rules and tests see the time they are given.

use time::OffsetDateTime;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// As fine as Postgres keeps it, so that a time is the same wherever it is told.
fn to_the_microsecond(time: OffsetDateTime) -> OffsetDateTime {
    let micros = time.microsecond();
    time.replace_microsecond(micros).unwrap_or(time)
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        to_the_microsecond(OffsetDateTime::now_utc())
    }
}
