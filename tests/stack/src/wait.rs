//! Waiting for something, with a deadline.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::stack::StackError;

const PAUSE: Duration = Duration::from_millis(10);
/// Whoever has not answered for some time is asked less often.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Asks again and again until the condition holds; says how long that took.
///
/// # Errors
///
/// When it does not hold within the deadline, or asking fails.
pub async fn eventually<E: From<StackError>>(
    what: &str,
    deadline: Duration,
    mut holds: impl AsyncFnMut() -> Result<bool, E>,
) -> Result<Duration, E> {
    let started = Instant::now();
    while !holds().await? {
        if started.elapsed() > deadline {
            return Err(late(what, deadline, "it did not come about").into());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(started.elapsed())
}

/// Asks again and again until there is an answer.
///
/// # Errors
///
/// With what was seen last, when there is none within the deadline.
pub async fn answer<T, R: Display>(
    what: &str,
    deadline: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, R>,
) -> Result<T, StackError> {
    let (started, mut pause) = (Instant::now(), PAUSE);
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(seen) if started.elapsed() > deadline => return Err(late(what, deadline, seen)),
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn late(what: &str, deadline: Duration, seen: impl Display) -> StackError {
    StackError::new(format!("waited {} s for {what}", deadline.as_secs()), seen)
}
