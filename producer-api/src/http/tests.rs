//! Tests of the middleware.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Extension, Json};
use millrace_protocol::JobId;
use millrace_service::{Alert, AlertSink};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use super::{Correlation, surround};

#[derive(Default)]
struct Raised(Mutex<Vec<Alert>>);

impl AlertSink for Raised {
    fn raise(&self, alert: Alert) {
        self.0.lock().expect("nobody panics holding it").push(alert);
    }
}

const JOB: JobId = JobId(Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001));

#[tokio::test]
async fn a_panic_is_answered_as_a_problem_and_alerts() {
    async fn bug() -> &'static str {
        panic!("a secret detail")
    }
    let raised = Arc::new(Raised::default());
    let alerts: Arc<dyn AlertSink> = raised.clone();
    let router = Router::new().route("/bug", get(bug)).layer(from_fn_with_state(alerts, surround));
    let request = Request::get("/bug").body(Body::empty()).expect("a request");
    let response = router.oneshot(request).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    let body: Value = serde_json::from_slice(&body).expect("problem details");
    assert_eq!(body["type"], "urn:millrace:problem:bug");
    assert!(!body.to_string().contains("secret detail"), "{body}");
    assert_eq!(raised.0.lock().expect("nobody panicked").len(), 1);
}

#[tokio::test]
async fn the_job_becomes_the_correlation_id() {
    let about_a_job = async |Extension(correlation): Extension<Correlation>| {
        correlation.set_job(JOB);
        Json(json!({}))
    };
    let alerts: Arc<dyn AlertSink> = Arc::new(Raised::default());
    let router = Router::new().route("/", get(about_a_job)).layer(from_fn_with_state(alerts, surround));
    let request = Request::get("/").body(Body::empty()).expect("a request");
    let response = router.oneshot(request).await.expect("an answer");
    assert_eq!(response.headers()["x-correlation-id"], JOB.to_string().as_str());
}
