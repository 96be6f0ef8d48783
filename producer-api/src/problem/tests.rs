//! Tests of problems: what clients and operators read.

use std::sync::Mutex;

use axum::body::to_bytes;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use millrace_broker::PublishError;
use millrace_protocol::{JobId, Violation};
use millrace_service::{Alert, AlertSink};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Problem;
use crate::database::ReadError;

const ID: Uuid = Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001);

#[derive(Default)]
struct Raised(Mutex<Vec<Alert>>);

impl AlertSink for Raised {
    fn raise(&self, alert: Alert) {
        self.0.lock().expect("nobody panics holding it").push(alert);
    }
}

/// The answer's body and headers of interest, and the names of the alerts.
async fn answered(problem: Problem) -> (Value, Option<String>, Vec<&'static str>) {
    let raised = Raised::default();
    let response = problem.answer(ID, &raised);
    let retry = response.headers().get(RETRY_AFTER).map(|value| value.to_str().expect("text").to_owned());
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    let alerts = raised.0.into_inner().expect("nobody panicked").iter().map(|alert| alert.name).collect();
    (serde_json::from_slice(&body).expect("JSON"), retry, alerts)
}

#[tokio::test]
async fn problem_details_are_of_rfc_9457() {
    let (body, retry, alerts) =
        answered(Problem::Invalid(vec![Violation::at("/lines", "expected 1 to 100 lines")])).await;
    assert_eq!(
        body,
        json!({
            "type": "urn:millrace:problem:invalid",
            "title": "Invalid data",
            "status": 422,
            "detail": "The data is not what this command needs; errors says where and why. Nothing was queued.",
            "instance": "urn:uuid:01980000-0000-7000-8000-000000000001",
            "correlation_id": "01980000-0000-7000-8000-000000000001",
            "errors": [{"pointer": "/lines", "message": "expected 1 to 100 lines"}],
        })
    );
    assert_eq!((retry, alerts), (None, vec![]));
}

#[tokio::test]
async fn every_way_not_to_publish_is_a_503_that_says_what_became_of_the_job() {
    for (source, slug, says, alerts) in [
        (
            PublishError::Unavailable("secret host".to_owned()),
            "broker-unavailable",
            "Nothing was queued",
            vec![],
        ),
        (PublishError::Refused, "queue-full", "Nothing was queued", vec![]),
        (PublishError::Unroutable, "no-queue", "Nothing will be done", vec!["no-queue"]),
        (PublishError::Unknown("secret host".to_owned()), "unconfirmed", "is not certain", vec![]),
    ] {
        let (body, retry, raised) = answered(Problem::NotPublished { job_id: JobId(ID), source }).await;
        assert_eq!(body["status"], 503);
        assert_eq!(body["type"], format!("urn:millrace:problem:{slug}").as_str());
        assert!(body["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{body}");
        assert!(!body.to_string().contains("secret host"), "{body}");
        assert!(retry.is_some(), "{slug} does not say when to try again");
        assert_eq!(raised, alerts);
    }
}

#[tokio::test]
async fn a_bug_and_a_ledger_of_another_version_alert_and_an_outage_does_not() {
    assert_eq!(answered(Problem::Bug).await.2, ["bug"]);
    assert_eq!(answered(ReadError::UnknownStatus.into()).await.2, ["ledger-unavailable"]);
    let outage = ReadError::Unreachable(sqlx::Error::PoolTimedOut);
    let (body, retry, alerts) = answered(outage.into()).await;
    assert_eq!((body["status"].as_u64(), retry.as_deref(), alerts), (Some(503), Some("5"), vec![]));
}

#[test]
fn a_missing_and_a_wrong_key_are_told_apart_as_rfc_6750_wants() {
    let challenge = |problem: Problem| {
        let response = problem.answer(ID, &Raised::default());
        response.headers()[WWW_AUTHENTICATE].to_str().expect("text").to_owned()
    };
    assert_eq!(challenge(Problem::KeyMissing), r#"Bearer realm="millrace""#);
    assert_eq!(challenge(Problem::KeyUnknown), r#"Bearer realm="millrace", error="invalid_token""#);
}
