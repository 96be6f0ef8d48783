//! What a program built with the feature `armed` does about its environment variables.

use std::env;
use std::pin::pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use crate::{Mutant, Point, Task};

static CRASH_AT: LazyLock<Option<(Point, u64)>> = LazyLock::new(|| {
    let value = variable("MILLRACE_CRASH_AT")?;
    let (name, hit) = value.split_once(':').unwrap_or((&value, "1"));
    let point = Point::find(name).unwrap_or_else(|| panic!("MILLRACE_CRASH_AT: there is no point `{name}`"));
    Some((point, hit.parse().unwrap_or_else(|_| panic!("MILLRACE_CRASH_AT: `{hit}` is not a number"))))
});
static CRASH_ON: LazyLock<Option<String>> = LazyLock::new(|| variable("MILLRACE_CRASH_ON"));
static PANIC_IN: LazyLock<Option<Task>> = LazyLock::new(|| {
    let name = variable("MILLRACE_PANIC_IN")?;
    Some(Task::find(&name).unwrap_or_else(|| panic!("MILLRACE_PANIC_IN: there is no task `{name}`")))
});
static MUTANT: LazyLock<Option<Mutant>> = LazyLock::new(|| {
    let name = variable("MILLRACE_MUTANT")?;
    Some(Mutant::find(&name).unwrap_or_else(|| panic!("MILLRACE_MUTANT: there is no mutant `{name}`")))
});
static HITS: AtomicU64 = AtomicU64::new(0);

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

pub fn reach(point: Point) {
    if let Some((wanted, hit)) = *CRASH_AT
        && wanted == point
        && HITS.fetch_add(1, Ordering::SeqCst) + 1 == hit
    {
        die();
    }
}

pub async fn reach_within<T>(point: Point, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut waited = false;
    std::future::poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        // On a busy machine the response may be there at the first poll; nobody has read it yet either way.
        if !waited {
            waited = true;
            reach(point);
        }
        polled
    })
    .await
}

pub fn crash_on(body: &[u8]) {
    if let Some(text) = &*CRASH_ON
        && body.windows(text.len()).any(|part| part == text.as_bytes())
    {
        die();
    }
}

pub fn begin(task: Task) {
    assert!(*PANIC_IN != Some(task), "the task {} was to panic", task.name());
}

pub fn mutated(mutant: Mutant) -> bool {
    *MUTANT == Some(mutant)
}

/// Like a machine that loses its power: nothing is flushed or closed.
fn die() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}
