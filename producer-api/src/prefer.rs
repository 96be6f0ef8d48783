//! `Prefer: wait=N`: how many seconds a client is willing to wait for the outcome (RFC 7240 §4.3).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};

#[cfg(test)]
mod tests;

/// The longest wait. Load balancers cut off requests that stay silent for more than a minute.
pub(crate) const WAIT_MAX_SECONDS: u64 = 60;

/// How long a request waits for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    seconds: u64,
}

impl Wait {
    /// At most [`WAIT_MAX_SECONDS`]; `None` for no time at all.
    pub fn of_seconds(seconds: u64) -> Option<Self> {
        (seconds > 0).then_some(Self { seconds: seconds.min(WAIT_MAX_SECONDS) })
    }

    /// What the request prefers. A preference that can't be read is ignored (RFC 7240 §2).
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        let mut preferences = values.flat_map(|value| value.split(','));
        // The first of several preferences counts (RFC 7240 §2).
        preferences.find_map(seconds).and_then(Self::of_seconds)
    }

    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The value of `Preference-Applied`.
    pub fn applied(self) -> HeaderValue {
        HeaderValue::try_from(format!("wait={}", self.seconds)).expect("visible ASCII")
    }
}

/// The number of a preference such as ` wait = "5" ; foo`.
fn seconds(preference: &str) -> Option<u64> {
    let (preference, _parameters) = preference.split_once(';').unwrap_or((preference, ""));
    let (name, value) = preference.split_once('=')?;
    let value = value.trim().trim_matches('"');
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    // Only a number that is too large for u64 fails here.
    (name.trim().eq_ignore_ascii_case("wait") && digits).then(|| value.parse().unwrap_or(u64::MAX))
}
