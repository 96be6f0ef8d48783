//! Tests of a job's view and trail as JSON, and of the trace that a job belongs to.

use axum::http::{HeaderMap, HeaderValue};
use millrace_protocol::ledger::{Emitted, Status};
use millrace_protocol::{JobId, MessageId};
use serde_json::json;
use time::macros::datetime;
use uuid::Uuid;

use super::headers::trace;
use super::trail::Trail;
use super::view::View;
use crate::flow::Row;
use crate::tests::letters::catalog;

/// Minted on 2025-07-13 at 23:37:55.360 UTC, as its first 48 bits say.
pub(super) const JOB: JobId = JobId(Uuid::from_u128(0x0198_0626_fda0_7000_8000_0000_0000_0001));

fn sent() -> MessageId {
    JOB.first_message().derive(0)
}

pub(super) fn send(status: Status) -> Row {
    Row {
        handler: "letters".to_owned(),
        message_id: JOB.first_message(),
        causation_id: JOB.first_message(),
        message_type: "letters.send".to_owned(),
        status,
        attempts: 2,
        result: Some(json!({"letter_id": JOB})),
        problem: None,
        emitted: vec![Emitted { id: sent(), message_type: "letters.sent".to_owned() }],
        received_at: datetime!(2025-07-13 23:38:01 UTC),
        handled_at: datetime!(2025-07-13 23:38:02 UTC),
    }
}

#[test]
fn a_job_that_no_worker_has_received_is_accepted() {
    let view = serde_json::to_value(View::of(catalog(), JOB, &[])).expect("plain data");
    assert_eq!(
        view,
        json!({
            "job_id": JOB, "command": null, "status": "accepted", "attempts": 0, "result": null, "problem": null,
            "accepted_at": "2025-07-13T23:37:55.36Z", "handled_at": null,
            "flow": {"state": "running", "handled": 0, "pending": 1, "dead": 0},
        })
    );
}

#[test]
fn a_handled_job_shows_its_result_and_the_rest_of_its_flow() {
    let view =
        serde_json::to_value(View::of(catalog(), JOB, &[send(Status::Succeeded)])).expect("plain data");
    assert_eq!(
        view,
        json!({
            "job_id": JOB, "command": "letters.send", "status": "succeeded", "attempts": 2,
            "result": {"letter_id": JOB}, "problem": null,
            "accepted_at": "2025-07-13T23:37:55.36Z", "handled_at": "2025-07-13T23:38:02Z",
            "flow": {"state": "running", "handled": 1, "pending": 1, "dead": 0},
        })
    );
    let retrying =
        serde_json::to_value(View::of(catalog(), JOB, &[send(Status::Retrying)])).expect("plain data");
    assert_eq!((&retrying["status"], &retrying["handled_at"]), (&json!("retrying"), &json!(null)));
}

#[test]
fn a_trail_lists_what_was_handled_and_what_is_on_its_way() {
    let trail =
        serde_json::to_value(Trail::of(catalog(), JOB, &[send(Status::Succeeded)])).expect("plain data");
    assert_eq!(
        trail,
        json!({
            "job_id": JOB,
            "flow": {"state": "running", "handled": 1, "pending": 1, "dead": 0},
            "messages": [
                {
                    "message_id": JOB, "type": "letters.send", "handler": "letters", "status": "succeeded",
                    "attempts": 2, "caused_by": null, "received_at": "2025-07-13T23:38:01Z",
                    "handled_at": "2025-07-13T23:38:02Z", "result": {"letter_id": JOB}, "problem": null,
                },
                {
                    "message_id": sent(), "type": "letters.sent", "handler": "stamps", "status": "pending",
                    "attempts": 0, "caused_by": JOB, "received_at": null, "handled_at": null,
                    "result": null, "problem": null,
                },
            ],
            "tree": [{
                "message_id": JOB, "type": "letters.send",
                "follow_ups": [{"message_id": sent(), "type": "letters.sent", "follow_ups": []}],
            }],
        })
    );
}

#[test]
fn a_tree_hangs_each_message_below_its_cause() {
    let row = |handler: &str,
               id: MessageId,
               cause: MessageId,
               message_type: &str,
               emitted: &[(u32, &str)]| Row {
        handler: handler.to_owned(),
        message_id: id,
        causation_id: cause,
        message_type: message_type.to_owned(),
        emitted: emitted
            .iter()
            .map(|(position, name)| Emitted { id: id.derive(*position), message_type: (*name).to_owned() })
            .collect(),
        ..send(Status::Succeeded)
    };
    let root = JOB.first_message();
    let (opened, forgotten) = (root.derive(0), MessageId(Uuid::from_u128(7)));
    let rows = [
        row("offices", root, root, "offices.open", &[(0, "offices.opened"), (1, "offices.moved")]),
        row("locks", opened, root, "offices.opened", &[]),
        row("letters", opened, root, "offices.opened", &[(0, "letters.delivered")]),
        row("letters", forgotten.derive(0), forgotten, "letters.send", &[]),
    ];
    fn shape(branch: &serde_json::Value) -> String {
        let below: Vec<_> = branch["follow_ups"].as_array().expect("a list").iter().map(shape).collect();
        format!("{}({})", branch["type"].as_str().expect("a type"), below.join(" "))
    }
    let trail = serde_json::to_value(Trail::of(catalog(), JOB, &rows)).expect("plain data");
    let shapes: Vec<_> = trail["tree"].as_array().expect("a list").iter().map(shape).collect();
    assert_eq!(
        shapes,
        ["offices.open(offices.opened(letters.delivered()) offices.moved())", "letters.send()"]
    );
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn with(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    headers
        .iter()
        .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn a_trace_is_carried_on() {
    let mut headers = with(&[("traceparent", PARENT), ("tracestate", "a=1")]);
    headers.append("tracestate", HeaderValue::from_static("b=2"));
    let trace = trace(&headers);
    assert_eq!(trace.traceparent.as_deref(), Some(PARENT));
    assert_eq!(trace.tracestate.as_deref(), Some("a=1,b=2"));
}

#[test]
fn without_a_trace_a_new_one_begins() {
    let mut twice = with(&[("traceparent", PARENT)]);
    twice.append("traceparent", HeaderValue::from_static(PARENT));
    for headers in [HeaderMap::new(), with(&[("traceparent", "00-zz"), ("tracestate", "a=1")]), twice] {
        let begun = trace(&headers);
        let parent = begun.traceparent.expect("a new trace");
        assert_ne!(parent, PARENT);
        let accepted = millrace_protocol::Trace::accept(Some(&parent), None);
        assert_eq!(accepted.traceparent.as_deref(), Some(parent.as_str()), "it is well formed");
        assert_eq!(begun.tracestate, None);
    }
}
