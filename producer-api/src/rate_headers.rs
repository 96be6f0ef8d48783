//! The headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).

use std::num::NonZeroU32;

use axum::http::{HeaderMap, HeaderValue};

/// The policy of a client that may send this many requests a second.
pub(crate) fn policy(per_second: NonZeroU32) -> HeaderValue {
    HeaderValue::try_from(format!("\"client\";q={per_second};w=1")).expect("visible ASCII")
}

/// Writes the policy, and how many more requests the client may send within the second.
pub(crate) fn write(headers: &mut HeaderMap, policy: &HeaderValue, remaining: u32) {
    headers.insert("ratelimit-policy", policy.clone());
    let left = HeaderValue::try_from(format!("\"client\";r={remaining};t=1")).expect("visible ASCII");
    headers.insert("ratelimit", left);
}
