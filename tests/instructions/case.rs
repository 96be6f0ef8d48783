//! What a case is: work on a batch that is prepared before counting begins, and whose results are dropped after it ended.

use std::hint::black_box;

/// How many messages a case works on, a full batch of a lane.
pub const MESSAGES: u32 = 256;

pub struct Case {
    pub name: &'static str,
    pub prepare: fn() -> Work,
}

/// All of a case's work, which can be done once.
pub type Work = Box<dyn FnMut()>;

impl Case {
    /// Works a batch as preparation for the one that counts: by then all that is set up once per process has been.
    pub fn work(&self) {
        (self.prepare)()();
        counted((self.prepare)().as_mut());
    }
}

/// Callgrind collects while this function runs and knows it by its name, so it may neither be inlined nor go on elsewhere
/// in its place.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
    black_box(work);
}

/// The same for each of these, message by message.
pub fn each<I: 'static, O: 'static>(inputs: Vec<I>, work: impl Fn(I) -> O + 'static) -> Work {
    let mut outputs = Vec::with_capacity(inputs.len());
    let mut inputs = inputs.into_iter();
    Box::new(move || outputs.extend(inputs.by_ref().map(&work)))
}
