//! `GET /jobs/{id}`: the page that shows a person the trail of a job, live.
//!
//! It holds no data and is the same for everybody. The browser asks the API for the job, with the key that its reader
//! types in.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};

#[cfg(test)]
mod tests;

/// Whatever got into the page could read the key, so nothing runs or loads but what the door itself serves, and no
/// other page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) async fn job() -> Response {
    asset("text/html; charset=utf-8", include_str!("page/job.html"))
}

pub(crate) async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("page/job.css"))
}

pub(crate) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("page/job.js"))
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    let headers =
        [(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, POLICY), (REFERRER_POLICY, "no-referrer")]
            .map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, text).into_response()
}
