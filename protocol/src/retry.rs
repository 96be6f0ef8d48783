//! When a message is tried again: the delay queues that every domain shares, and a schedule per message type.

use std::time::Duration;

/// A queue in which a message waits for a fixed time before the broker moves it back to its domain's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DelayQueue {
    // First, so that the longer delay is the greater one.
    delay: Duration,
    name: &'static str,
}

impl DelayQueue {
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
    /// All of them, shortest delay first.
    pub const ALL: [Self; 7] =
        [Self::MS_200, Self::S_1, Self::S_5, Self::S_30, Self::M_2, Self::M_10, Self::H_1];

    const fn new(name: &'static str, delay: Duration) -> Self {
        Self { name, delay }
    }

    /// How long a message waits here, unless the topology was applied with another scale.
    #[must_use]
    pub const fn delay(self) -> Duration {
        self.delay
    }

    /// Name of the exchange that leads here and of the queue itself, such as `retry.5s`.
    #[must_use]
    pub fn name(self) -> String {
        format!("retry.{}", self.name)
    }

    /// The shortest delay of at least this long; the longest one if there is none.
    #[must_use]
    pub fn at_least(delay: Duration) -> Self {
        Self::ALL.into_iter().find(|queue| queue.delay >= delay).unwrap_or(Self::H_1)
    }
}

/// How often a message type is tried, and how long it waits before each further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySchedule {
    delays: &'static [DelayQueue],
}

impl RetrySchedule {
    /// For messages that only this system's own parts can delay: six attempts within three minutes.
    pub const QUICK: Self = Self {
        delays: &[DelayQueue::MS_200, DelayQueue::S_1, DelayQueue::S_5, DelayQueue::S_30, DelayQueue::M_2],
    };

    /// For messages that call outside systems: eight attempts within two and a half hours.
    pub const PATIENT: Self = Self {
        delays: &[
            DelayQueue::S_1,
            DelayQueue::S_5,
            DelayQueue::S_30,
            DelayQueue::M_2,
            DelayQueue::M_10,
            DelayQueue::H_1,
            DelayQueue::H_1,
        ],
    };

    /// How often a message is tried before it is dead-lettered.
    #[must_use]
    pub fn max_attempts(self) -> u32 {
        u32::try_from(self.delays.len()).map_or(u32::MAX, |delays| delays + 1)
    }

    /// Where a message waits after its `attempt`-th try (counted from 1) failed; `None` if that was the last one.
    #[must_use]
    pub fn after(self, attempt: u32) -> Option<DelayQueue> {
        let index = usize::try_from(attempt.max(1) - 1).unwrap_or(usize::MAX);
        self.delays.get(index).copied()
    }
}
