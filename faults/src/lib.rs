//! Faults for tests: points at which a process kills itself, tasks that panic, and mutants, which break a guarantee on purpose.
//!
//! They stand in the code that they are about, since a patch that is kept beside it would rot unseen.
//!
//! All of it compiles to nothing unless a program is built with the feature `armed`. An armed program reads four environment
//! variables:
//!
//! * `MILLRACE_CRASH_AT=committed:3`: it sends itself SIGKILL when it reaches this point for the third time;
//! * `MILLRACE_CRASH_ON=some text`: it sends itself SIGKILL when it reads a message whose body contains this text;
//! * `MILLRACE_PANIC_IN=lane`: this task panics when it begins;
//! * `MILLRACE_MUTANT=ack-before-commit`: it breaks this guarantee, so that a checker can prove that it notices.

#[cfg(feature = "armed")]
mod armed;
mod names;

pub use names::{Mutant, Point, Task};

/// Kills the process if `MILLRACE_CRASH_AT` names this point and this visit.
#[inline]
pub fn reach(point: Point) {
    #[cfg(feature = "armed")]
    armed::reach(point);
    #[cfg(not(feature = "armed"))]
    let _ = point;
}

/// Like [`reach`], after the future was polled once: its request is written by then, and the response is not read.
pub async fn reach_within<T>(point: Point, future: impl Future<Output = T>) -> T {
    #[cfg(feature = "armed")]
    return armed::reach_within(point, future).await;
    #[cfg(not(feature = "armed"))]
    {
        let _ = point;
        future.await
    }
}

/// Does the work of a task that runs for as long as its process. Panics first if `MILLRACE_PANIC_IN` names the task.
pub async fn task<T>(task: Task, work: impl Future<Output = T>) -> T {
    #[cfg(feature = "armed")]
    armed::begin(task);
    #[cfg(not(feature = "armed"))]
    let _ = task;
    work.await
}

/// Kills the process if this body contains the text of `MILLRACE_CRASH_ON`.
#[inline]
pub fn crash_on(body: &[u8]) {
    #[cfg(feature = "armed")]
    armed::crash_on(body);
    #[cfg(not(feature = "armed"))]
    let _ = body;
}

/// Whether `MILLRACE_MUTANT` names this mutant.
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
