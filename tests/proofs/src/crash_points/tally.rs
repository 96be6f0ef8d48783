//! What a case has shown besides that it passed, added up over all of them.

use std::ops::AddAssign;

/// Counts of what the pipeline has absorbed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Programs that died of their point.
    pub deaths: usize,
    /// Messages that came back to their queue because of that.
    pub returned: usize,
    /// Messages that a worker gave back unworked because it was asked to stop.
    pub given_back: usize,
    /// Follow-ups, retries and dead letters that were sent more than once.
    pub copies: usize,
    /// Deaths that left another number of messages unacknowledged than the batches would have it.
    pub off_aim: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.deaths += other.deaths;
        self.returned += other.returned;
        self.given_back += other.given_back;
        self.copies += other.copies;
        self.off_aim += other.off_aim;
    }
}
