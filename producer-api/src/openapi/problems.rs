//! Every answer that is an error, by status, with an example of each kind of problem.

use std::time::Duration;

use axum::http::HeaderValue;
use millrace_broker::PublishError;
use millrace_contracts::Scope;
use millrace_protocol::{JobId, Violation};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::components;
use crate::database::ReadError;
use crate::problem::Problem;

const EXAMPLE: Uuid = Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001);
const MEDIA_TYPE: &str = "application/problem+json";

/// References to the answers with these statuses.
pub(super) fn with(statuses: &[u16]) -> Map<String, Value> {
    let reference = |status: &u16| json!({"$ref": format!("#/components/responses/{status}")});
    statuses.iter().map(|status| (status.to_string(), reference(status))).collect()
}

/// All of them, by status.
pub(super) fn responses(schema: &Value) -> Map<String, Value> {
    let mut responses = Map::new();
    for problem in samples() {
        let details = problem.details(EXAMPLE);
        let response = responses
            .entry(details.status.to_string())
            .or_insert_with(|| json!({"content": {MEDIA_TYPE: {"schema": schema, "examples": {}}}}));
        response["headers"] = components::references(headers(details.status)).into();
        let name = details.r#type.rsplit(':').next().unwrap_or_default().to_owned();
        response["content"][MEDIA_TYPE]["examples"][name] =
            json!({"summary": details.title, "value": details});
    }
    for response in responses.values_mut() {
        let kinds = response["content"][MEDIA_TYPE]["examples"].as_object();
        let kinds: Vec<_> = kinds.into_iter().flatten().map(|(name, _)| format!("`{name}`")).collect();
        response["description"] = kinds.join(", ").into();
    }
    responses.sort_keys();
    responses
}

fn headers(status: u16) -> &'static [(&'static str, &'static str)] {
    match status {
        401 => &[("WWW-Authenticate", "challenge")],
        429 => {
            &[("Retry-After", "retry-after"), ("RateLimit", "limit"), ("RateLimit-Policy", "limit-policy")]
        }
        503 => &[("Retry-After", "retry-after")],
        _ => &[],
    }
}

/// One problem of each kind that an operation of the document can have.
fn samples() -> Vec<Problem> {
    let job_id = JobId(EXAMPLE);
    let line = || vec![Violation::at("/lines/0/quantity", "expected a whole number from 1 to 1000000")];
    let unpublished = |source| Problem::NotPublished { job_id, source };
    let policy = HeaderValue::from_static(r#""client";q=1000;w=1"#);
    vec![
        Problem::BrokenOff,
        Problem::NotJson(vec![Violation::at(
            "",
            "not JSON: the body ends within a list at line 1 column 20",
        )]),
        Problem::KeyMalformed("It is a string in double quotes, such as Idempotency-Key: \"8e03978e-40d5\"."),
        Problem::InvalidQuery(vec![Violation::at("/limit", "expected a whole number from 1 to 200")]),
        Problem::KeyMissing,
        Problem::KeyUnknown,
        Problem::ScopeMissing { command: "orders.place" },
        Problem::ScopeExceeded { scope: Scope::parse("jobs:*").expect("a valid example") },
        Problem::UnknownJob,
        Problem::TooSlow { deadline_ms: 10_000 },
        Problem::TooLarge { max_bytes: 262_144 },
        Problem::NotDeclaredJson,
        Problem::NotDeclaredLines,
        Problem::Invalid(line()),
        Problem::KeyReused,
        Problem::RateLimited { policy, wait: Duration::from_millis(1) },
        Problem::TooManyInFlight,
        Problem::Bug,
        Problem::Overloaded,
        unpublished(PublishError::Unavailable(String::new())),
        unpublished(PublishError::Refused),
        unpublished(PublishError::Unroutable),
        unpublished(PublishError::Unknown(String::new())),
        Problem::Unreadable(ReadError::Silent),
        Problem::KeysUnreadable(ReadError::Silent),
        Problem::HashersBusy,
    ]
}
