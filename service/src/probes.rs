//! `/healthz`, `/readyz` and `/metrics`: handlers for a process with an HTTP server, and a server for one without.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use millrace_faults::{Task, task};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::fatal::Fatal;
use crate::liveness::Liveness;
use crate::prometheus;
use crate::readiness::Readiness;
use crate::server::{Limits, Server};

/// An orchestrator and a scraper send few requests over a fast network.
const LIMITS: Limits =
    Limits { header_read: Duration::from_secs(5), connections: 64, drain: Duration::from_millis(100) };

pub(crate) fn router(readiness: Readiness, liveness: Liveness) -> Router {
    Router::new()
        .route("/healthz", get(loops).with_state(liveness))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(metrics))
}

/// Serves the three probes at `listen` in a task of its own until `until` is cancelled. Logs the address and returns it.
///
/// Cancel `until` last: a process that is stopping must still answer that it is not ready. Fails when the address can't be
/// bound.
pub async fn spawn(
    listen: SocketAddr,
    readiness: Readiness,
    liveness: Liveness,
    until: CancellationToken,
) -> Result<SocketAddr, Fatal> {
    let server = Server::bind("PROBES_LISTEN", listen, LIMITS).await?;
    let address = server.address();
    tracing::info!(probes.address = %address, "Probes at http://{address}/healthz, /readyz and /metrics");
    tokio::spawn(task(Task::Probes, server.run(router(readiness, liveness), until)));
    Ok(address)
}

/// `/healthz`: answers 200 as long as the process runs its event loop.
pub async fn healthz() -> Json<serde_json::Value> {
    Json(json!({"alive": true}))
}

/// `/healthz`: answers 200 as long as every loop of the process shows signs of life, otherwise 503; the body names those that
/// don't. A process without an answer, or with 503, should be restarted.
async fn loops(State(liveness): State<Liveness>) -> Response {
    let report = liveness.now();
    let status = if report.alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

/// `/readyz`: answers 200 when every check is ready, otherwise 503; the body has each check and its reason.
pub async fn readyz(State(readiness): State<Readiness>) -> Response {
    let report = readiness.now();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

/// `/metrics`: answers all metrics in Prometheus' text format 0.0.4.
pub async fn metrics() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], prometheus::render())
        .into_response()
}
