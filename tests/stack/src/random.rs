//! Random numbers that are the same for the same seed, on every machine and in every version: what a seed has shown once, it
//! shows again.

use std::time::Duration;

use uuid::Uuid;

/// `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): small, and good enough for
/// drawing faults, messages and schedules.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The numbers of one of this seed's streams. What is drawn from one stream does not shift what is drawn from another.
    #[must_use]
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.number();
        random
    }

    /// The numbers for this purpose at this position, whatever was drawn for others.
    #[must_use]
    pub fn of(seed: u64, purpose: &str, position: u64) -> Self {
        let mut random = Self(seed);
        for byte in purpose.bytes() {
            random = Self(random.number() ^ u64::from(byte));
        }
        random = Self(random.number() ^ position);
        random.number();
        random
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A position below this length; 0 if there is none.
    pub fn below(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % length).unwrap_or_default()
    }

    /// From `least` to `most`.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.number() % (most - least + 1)
    }

    /// From `least` to `most`, in whole milliseconds.
    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }

    /// One of them; there must be one.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// True this often: 0.1 is one in ten.
    pub fn chance(&mut self, share: f64) -> bool {
        ((self.number() >> 11) as f64) < share * (1_u64 << 53) as f64
    }

    pub fn uuid(&mut self) -> Uuid {
        let bits = u128::from(self.number()) << 64 | u128::from(self.number());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // <https://prng.di.unimi.it/splitmix64.c>, started with 1234567.
        let mut random = Random::seeded(1_234_567);
        let numbers = [random.number(), random.number(), random.number()];
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let ids = |seed, position| Random::of(seed, "load", position).uuid();
        assert_eq!(ids(7, 3), ids(7, 3));
        assert_ne!(ids(7, 3), ids(7, 4));
        assert_ne!(ids(7, 3), ids(8, 3));
    }

    #[test]
    fn a_share_is_met() {
        let mut random = Random::of(1, "share", 0);
        let hits = (0..10_000).filter(|_| random.chance(0.1)).count();
        assert!((900..1100).contains(&hits), "{hits} of 10,000");
        assert!(!random.chance(0.0) && random.chance(1.0));
    }
}
