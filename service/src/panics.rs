//! Panics: one that is not contained ends the process, since nobody would notice that one of its tasks is gone.

use std::any::Any;
use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::pin::pin;

/// For a bug in the program (`EX_SOFTWARE` of sysexits.h).
const EXIT_BUG: i32 = 70;

thread_local! {
    /// How many calls on this thread's stack contain panics.
    static CONTAINED: Cell<u32> = const { Cell::new(0) };
}

/// Counts one call for as long as it lives.
struct Containment;

impl Containment {
    fn enter() -> Self {
        CONTAINED.set(CONTAINED.get() + 1);
        Self
    }
}

impl Drop for Containment {
    fn drop(&mut self) {
        CONTAINED.set(CONTAINED.get() - 1);
    }
}

/// From now on, a panic on any thread logs an error and ends the process with exit code 70, unless [`contain`] or
/// [`contain_async`] is on the stack. That includes panics in tasks and threads of libraries, which leave their caller waiting for
/// ever.
pub fn end_the_process() {
    set_hook(Box::new(|panic| {
        report(panic);
        if CONTAINED.get() == 0 {
            std::process::exit(EXIT_BUG);
        }
    }));
}

fn report(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let text = panic.payload_as_str().unwrap_or(NO_MESSAGE);
    if CONTAINED.get() == 0 {
        tracing::error!(alert = "panic", panic.location = place, "The process ends because of a bug: {text}");
    } else {
        tracing::error!(panic.location = place, "A panic was contained: {text}");
    }
}

/// Calls `work`; its panic is an error with the panic's message, and everybody else goes on.
///
/// # Errors
///
/// `work` has panicked.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let _containment = Containment::enter();
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(panic.as_ref()))
}

/// Awaits `work`; its panic is an error with the panic's message, and everybody else goes on.
///
/// # Errors
///
/// `work` has panicked.
pub async fn contain_async<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    poll_fn(|context| match contain(|| work.as_mut().poll(context)) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => std::task::Poll::Ready(Err(panic)),
    })
    .await
}

const NO_MESSAGE: &str = "no message";

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or(NO_MESSAGE).to_owned()
}
