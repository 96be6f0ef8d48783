//! Numbers drawn from a seed: the same seed gives the same numbers on every machine.

use uuid::Uuid;

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// Its own numbers for each purpose and each position, whatever was drawn for the others.
    pub fn of(seed: u64, purpose: &str, position: u64) -> Self {
        let mut draw = Self(seed);
        for byte in purpose.bytes() {
            draw.0 = draw.next() ^ u64::from(byte);
        }
        draw.0 = draw.next() ^ position;
        draw.next();
        draw
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to one below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// An index into something of this length.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap_or(u64::MAX))).unwrap_or(0)
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
