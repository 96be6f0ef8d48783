//! Dice that fall the same way for the same seed, on every machine and in every version.

use std::time::Duration;

use millrace_testkit::random::Random;

/// What faults are drawn with.
#[derive(Debug, Clone)]
pub struct Dice(Random);

impl Dice {
    /// Dice of this seed, for this purpose: what is drawn for one purpose does not shift what is drawn for another.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut random = Random::seeded(seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.number();
        Self(random)
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// From `least` to `most`, in whole milliseconds.
    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.0.number() % (most - least + 1))
    }

    /// In any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
