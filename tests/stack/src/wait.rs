//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

use crate::stack::StackError;

const PAUSE: Duration = Duration::from_millis(10);

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
            let reason = format!("it did not come about within {} s", deadline.as_secs());
            return Err(StackError::new(format!("waiting for {what}"), reason).into());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(started.elapsed())
}
