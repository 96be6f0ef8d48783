//! Figures as people compare them: percentiles of durations, whole numbers as real ones.

use std::fmt;
use std::time::Duration;

/// Measured durations, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations(Vec<Duration>);

impl Durations {
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Self {
        let mut sorted: Vec<_> = durations.into_iter().collect();
        sorted.sort_unstable();
        Self(sorted)
    }

    /// The duration that this many of a hundred do not exceed; zero where nothing was measured.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1) - 1;
        self.0.get(rank).copied().unwrap_or_default()
    }

    pub fn p50(&self) -> Duration {
        self.percentile(50)
    }

    pub fn p99(&self) -> Duration {
        self.percentile(99)
    }

    pub fn max(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Durations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        write!(
            f,
            "p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms of {}",
            ms(self.p50()),
            ms(self.percentile(90)),
            ms(self.p99()),
            ms(self.max()),
            self.count()
        )
    }
}

/// A whole number as one to calculate with.
pub fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// KiB as MiB.
pub fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_times_that_are_there() {
        let ms = Duration::from_millis;
        let took = Durations::of((1..=100).rev().map(ms));
        assert_eq!((took.count(), took.p50(), took.p99(), took.max()), (100, ms(50), ms(99), ms(100)));
        assert_eq!(Durations::of([]).p99(), Duration::ZERO);
    }
}
