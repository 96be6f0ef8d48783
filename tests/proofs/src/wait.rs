//! Waiting for a condition, where whatever goes wrong ends the proof.

use std::time::Duration;

use millrace_testkit::wait::eventually;

use crate::error::Error;

/// Waits until it holds; how long that took.
pub async fn until(
    what: &str,
    deadline: Duration,
    holds: impl AsyncFnMut() -> Result<bool, Error>,
) -> Result<Duration, Error> {
    eventually(what, deadline, holds).await
}
