//! Numbers drawn from a seed: the same seed gives the same numbers on every machine.

use millrace_testkit::random::Random;
use uuid::Uuid;

/// What the load is drawn with.
#[derive(Debug, Clone)]
pub struct Draw(Random);

impl Draw {
    /// Its own numbers for each purpose and each position, whatever was drawn for the others.
    pub fn of(seed: u64, purpose: &str, position: u64) -> Self {
        let mut random = Random::seeded(seed);
        for byte in purpose.bytes() {
            random = Random::seeded(random.number() ^ u64::from(byte));
        }
        random = Random::seeded(random.number() ^ position);
        random.number();
        Self(random)
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0.number()
    }

    /// From 0 to one below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// An index into something of this length.
    pub fn index(&mut self, length: usize) -> usize {
        self.0.below(length)
    }

    /// True this often.
    pub fn chance(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64) < share * (1_u64 << 53) as f64
    }

    /// A number of milliseconds.
    pub fn millis(&mut self, from: u64, to: u64) -> std::time::Duration {
        std::time::Duration::from_millis(from + self.below(to - from))
    }

    /// An id.
    pub fn uuid(&mut self) -> Uuid {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn the_same_seed_draws_the_same() {
        let ids = |seed, position| Draw::of(seed, "load", position).uuid();
        assert_eq!(ids(7, 3), ids(7, 3));
        assert_ne!(ids(7, 3), ids(7, 4));
        assert_ne!(ids(7, 3), ids(8, 3));
    }

    #[test]
    fn a_share_is_met() {
        let mut draw = Draw::of(1, "share", 0);
        let hits = (0..10_000).filter(|_| draw.chance(0.1)).count();
        assert!((900..1100).contains(&hits), "{hits} of 10,000");
        assert!(!draw.chance(0.0) && draw.chance(1.0));
    }
}
