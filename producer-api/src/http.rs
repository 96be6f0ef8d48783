//! Routes, and what surrounds every request: correlation id, log span, metrics, panics, problems, security headers.

mod correlation;
#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::FutureExt;
use millrace_service::{AlertSink, Readiness, probes};
use tracing::Instrument;

use crate::documents;
use crate::jobs::{self, Answers, Intake};
use crate::keys::ApiKeys;
use crate::problem::Problem;

pub(crate) use correlation::Correlation;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Every route of the door.
pub(crate) fn router(
    intake: Arc<Intake>,
    answers: Arc<Answers>,
    keys: Arc<ApiKeys>,
    readiness: Readiness,
    alerts: Arc<dyn AlertSink>,
) -> Router {
    // {job} is a command for POST and a job id for GET; the router wants one name for both.
    let posts = Router::new().route("/v1/jobs/{job}", post(jobs::post::accept)).with_state(intake);
    let gets = Router::new()
        .route("/v1/jobs/{job}", get(jobs::view::show))
        .route("/v1/jobs/{job}/trail", get(jobs::trail::show))
        .with_state(answers);
    Router::new()
        .merge(posts)
        .merge(gets)
        // Whatever is routed above needs a key; only what follows doesn't.
        .route_layer(from_fn_with_state(keys, authenticate))
        .merge(documents::router())
        .merge(probes::router(readiness))
        .fallback(async || Problem::UnknownPath)
        .method_not_allowed_fallback(async || Problem::UnknownMethod)
        .layer(from_fn_with_state(alerts, surround))
}

async fn authenticate(State(keys): State<Arc<ApiKeys>>, mut request: Request, next: Next) -> Response {
    match keys.client(request.headers()) {
        Ok(client) => {
            request.extensions_mut().insert(client.clone());
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn surround(State(alerts): State<Arc<dyn AlertSink>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known(request.method().as_str());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let correlation = Correlation::of_request(method, &route);
    request.extensions_mut().insert(correlation.clone());

    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(correlation.span().clone());
    let mut response = answered.await.unwrap_or_else(|_panic| Problem::Bug.into_response());

    let _in_span = correlation.span().enter();
    let id = correlation.id();
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        let allow = response.headers_mut().remove(ALLOW);
        response = problem.answer(id, alerts.as_ref());
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
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

/// Answers are a client's own business, and are JSON whatever a browser makes of them.
fn protect(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// A client may invent methods, and each value of a label is kept for ever.
fn known(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
