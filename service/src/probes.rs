//! `/healthz`, `/readyz` and `/metrics`: a router for processes that serve more, and a server for those that don't.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::process::Fatal;
use crate::prometheus;
use crate::readiness::Readiness;
use crate::server::{Limits, Server};

/// Probes come from an orchestrator and a scraper: few, and on a network that is close.
const LIMITS: Limits =
    Limits { header_read: Duration::from_secs(5), connections: 64, drain: Duration::from_millis(100) };

/// The three probes. `/healthz` says that the process runs its event loop, `/readyz` whether it should get work.
pub fn router(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(readiness)
}

/// Serves the probes in a task of its own until `until` is cancelled, and gives back the address, which it also logs.
///
/// They should be served until the very end: a process that drains must still answer that it is not ready.
pub async fn spawn(
    listen: SocketAddr,
    readiness: Readiness,
    until: CancellationToken,
) -> Result<SocketAddr, Fatal> {
    let server = Server::bind("PROBES_LISTEN", listen, LIMITS).await?;
    let address = server.address();
    tracing::info!(probes.address = %address, "Probes at http://{address}/healthz, /readyz and /metrics");
    tokio::spawn(server.run(router(readiness), until));
    Ok(address)
}

/// The process runs its event loop.
pub async fn healthz() -> Json<serde_json::Value> {
    Json(json!({"alive": true}))
}

/// Whether the process should get work, and if not, why.
pub async fn readyz(State(readiness): State<Readiness>) -> Response {
    let report = readiness.now();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

/// All metrics, in the text format of Prometheus.
pub async fn metrics() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], prometheus::render())
        .into_response()
}
