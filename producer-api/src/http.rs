//! The middleware around every request: correlation id, log span, metrics, panics, problems, security headers.

mod correlation;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use millrace_service::AlertSink;
use millrace_service::panics::contain_async;
use tracing::Instrument;

use crate::problem::Problem;

pub(crate) use correlation::Correlation;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Puts the middleware around every route, and around requests that no route takes.
pub(crate) fn surrounded(routes: Router, alerts: Arc<dyn AlertSink>) -> Router {
    routes
        .fallback(async || Problem::UnknownPath)
        .method_not_allowed_fallback(async || Problem::UnknownMethod)
        .layer(from_fn_with_state(alerts, surround))
}

async fn surround(State(alerts): State<Arc<dyn AlertSink>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known(request.method().as_str());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let correlation = Correlation::of_request(method, &route);
    request.extensions_mut().insert(correlation.clone());

    let answered = contain_async(next.run(request)).instrument(correlation.span().clone());
    let mut response = answered.await.unwrap_or_else(|_panic| Problem::Bug.into_response());

    let _in_span = correlation.span().enter();
    let id = correlation.id();
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        let headers = std::mem::take(response.headers_mut());
        response = problem.answer(id, alerts.as_ref());
        // Headers that were set on the way, such as Allow or RateLimit, stay.
        for (name, value) in &headers {
            response.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
    }
    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    tracing::debug!(status, elapsed_ms = elapsed.as_millis(), "Answered");
    metrics::counter!(
        "millrace_http_requests_total", "route" => route.clone(), "method" => method, "status" => status.to_string()
    )
    .increment(1);
    metrics::histogram!("millrace_http_request_seconds", "route" => route, "method" => method)
        .record(elapsed);
    protect(&mut response);
    let id = HeaderValue::try_from(id.to_string()).expect("a UUID is visible ASCII");
    response.headers_mut().insert(CORRELATION_ID, id);
    response
}

/// Answers hold a client's own data, which no browser should cache, run, frame or pass on (OWASP REST Security Cheat Sheet,
/// security headers). Pages for browsers set their own policy.
const PROTECTION: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
    (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

fn protect(response: &mut Response) {
    for (name, value) in PROTECTION {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// A client may invent methods, and the memory for each value of a label is never freed.
fn known(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
