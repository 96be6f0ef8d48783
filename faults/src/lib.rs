//! Faults on purpose, for tests: points at which a process dies, and guarantees that it breaks.
//!
//! Only programs that were built with the feature `armed` know any of it; in all others it compiles to nothing. An
//! armed program looks at three environment variables:
//!
//! * `MILLRACE_CRASH_AT=committed:3`: it sends itself SIGKILL when it comes to this point for the third time;
//! * `MILLRACE_CRASH_ON=some text`: the same when it reads a message whose body contains this text;
//! * `MILLRACE_MUTANT=ack-before-commit`: it breaks this guarantee, so that a checker can show that it notices.

#[cfg(feature = "armed")]
mod armed;
mod names;

pub use names::{Mutant, Point};

/// Dies here, if this is where and when it was asked to.
#[inline]
pub fn reach(point: Point) {
    #[cfg(feature = "armed")]
    armed::reach(point);
    #[cfg(not(feature = "armed"))]
    let _ = point;
}

/// Dies once the future has done what it can without waiting: a request is written then, and its answer not looked at.
pub async fn reach_within<T>(point: Point, future: impl Future<Output = T>) -> T {
    #[cfg(feature = "armed")]
    return armed::reach_within(point, future).await;
    #[cfg(not(feature = "armed"))]
    {
        let _ = point;
        future.await
    }
}

/// Dies if this is a body that it was asked to die of.
#[inline]
pub fn crash_on(body: &[u8]) {
    #[cfg(feature = "armed")]
    armed::crash_on(body);
    #[cfg(not(feature = "armed"))]
    let _ = body;
}

/// Whether this guarantee is to be broken.
#[inline]
#[must_use]
pub fn mutated(mutant: Mutant) -> bool {
    #[cfg(feature = "armed")]
    return armed::mutated(mutant);
    #[cfg(not(feature = "armed"))]
    {
        let _ = mutant;
        false
    }
}
