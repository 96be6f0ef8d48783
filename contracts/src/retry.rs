//! When a message is tried again: a ladder of delays shared by every domain, and a policy per message type.

use std::time::Duration;

/// One rung of the ladder: a queue in which a message waits for a fixed time before it goes back to its domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rung {
    // First, so that the longer wait is the greater rung.
    delay: Duration,
    name: &'static str,
}

impl Rung {
    /// 200 milliseconds.
    pub const MS_200: Self = Self::new("200ms", Duration::from_millis(200));
    /// One second.
    pub const S_1: Self = Self::new("1s", Duration::from_secs(1));
    /// Five seconds.
    pub const S_5: Self = Self::new("5s", Duration::from_secs(5));
    /// Thirty seconds.
    pub const S_30: Self = Self::new("30s", Duration::from_secs(30));
    /// Two minutes.
    pub const M_2: Self = Self::new("2m", Duration::from_secs(120));
    /// Ten minutes.
    pub const M_10: Self = Self::new("10m", Duration::from_secs(600));
    /// One hour.
    pub const H_1: Self = Self::new("1h", Duration::from_secs(3600));
    /// The whole ladder, shortest wait first.
    pub const LADDER: [Self; 7] =
        [Self::MS_200, Self::S_1, Self::S_5, Self::S_30, Self::M_2, Self::M_10, Self::H_1];

    const fn new(name: &'static str, delay: Duration) -> Self {
        Self { name, delay }
    }

    /// How long a message waits here, unless the topology was applied with another scale.
    #[must_use]
    pub const fn delay(self) -> Duration {
        self.delay
    }

    /// Name of the rung's exchange and of its queue, such as `retry.5s`.
    #[must_use]
    pub fn exchange(self) -> String {
        format!("retry.{}", self.name)
    }

    /// The shortest rung that waits at least this long; the longest one where none does.
    #[must_use]
    pub fn at_least(delay: Duration) -> Self {
        Self::LADDER.into_iter().find(|rung| rung.delay >= delay).unwrap_or(Self::H_1)
    }
}

/// How often a message type is tried, and how long it waits in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    waits: &'static [Rung],
}

impl RetryPolicy {
    /// For messages that only our own parts can delay: six attempts within three minutes.
    pub const QUICK: Self = Self { waits: &[Rung::MS_200, Rung::S_1, Rung::S_5, Rung::S_30, Rung::M_2] };

    /// For messages that call the outside world: eight attempts within two and a half hours.
    pub const PATIENT: Self =
        Self { waits: &[Rung::S_1, Rung::S_5, Rung::S_30, Rung::M_2, Rung::M_10, Rung::H_1, Rung::H_1] };

    /// How often a message is tried before it is dead-lettered.
    #[must_use]
    pub fn max_attempts(self) -> u32 {
        u32::try_from(self.waits.len()).map_or(u32::MAX, |waits| waits + 1)
    }

    /// Where a message waits after its `attempt`-th try failed (counted from 1); `None` when that was the last.
    #[must_use]
    pub fn after(self, attempt: u32) -> Option<Rung> {
        let index = usize::try_from(attempt.max(1) - 1).unwrap_or(usize::MAX);
        self.waits.get(index).copied()
    }
}
