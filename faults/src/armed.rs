//! What an armed program does about its orders.

use std::env;
use std::pin::pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use crate::{Mutant, Point};

static CRASH_AT: LazyLock<Option<(Point, u64)>> = LazyLock::new(|| {
    let order = order("MILLRACE_CRASH_AT")?;
    let (name, hit) = order.split_once(':').unwrap_or((&order, "1"));
    let point = Point::find(name).unwrap_or_else(|| panic!("MILLRACE_CRASH_AT: no point is called `{name}`"));
    Some((point, hit.parse().unwrap_or_else(|_| panic!("MILLRACE_CRASH_AT: `{hit}` is no count"))))
});
static CRASH_ON: LazyLock<Option<String>> = LazyLock::new(|| order("MILLRACE_CRASH_ON"));
static MUTANT: LazyLock<Option<Mutant>> = LazyLock::new(|| {
    let name = order("MILLRACE_MUTANT")?;
    Some(Mutant::find(&name).unwrap_or_else(|| panic!("MILLRACE_MUTANT: no mutant is called `{name}`")))
});
static HITS: AtomicU64 = AtomicU64::new(0);

fn order(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|order| !order.is_empty())
}

pub fn reach(point: Point) {
    if let Some((asked, hit)) = *CRASH_AT
        && asked == point
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
        // On a busy machine the answer may be there at once; dying before anybody looks at it is the same.
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

pub fn mutated(mutant: Mutant) -> bool {
    *MUTANT == Some(mutant)
}

/// As a machine that loses its power would: nothing is flushed, closed or said.
fn die() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}
