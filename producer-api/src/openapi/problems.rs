//! Every answer that is not a good one, by status, with an example of each kind of problem.

use millrace_broker::PublishError;
use millrace_contracts::{JobId, Violation};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::parts;
use crate::ledger::ReadError;
use crate::problem::Problem;

const EXAMPLE: Uuid = Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001);

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
        let response = responses.entry(details.status.to_string()).or_insert_with(|| {
            let headers: &[_] = match details.status {
                401 => &[("WWW-Authenticate", "challenge")],
                503 => &[("Retry-After", "retry-after")],
                _ => &[],
            };
            json!({
                "description": details.title,
                "headers": parts::references(headers),
                "content": {"application/problem+json": {"schema": schema, "examples": {}}},
            })
        });
        let name = details.r#type.rsplit(':').next().unwrap_or_default().to_owned();
        response["content"]["application/problem+json"]["examples"][name] =
            json!({"summary": details.title, "value": details});
    }
    for response in responses.values_mut() {
        let kinds = response["content"]["application/problem+json"]["examples"].as_object();
        let kinds: Vec<_> = kinds.into_iter().flatten().map(|(name, _)| format!("`{name}`")).collect();
        response["description"] = kinds.join(", ").into();
    }
    responses
}

/// One problem of each kind.
pub(super) fn samples() -> Vec<Problem> {
    let job_id = JobId(EXAMPLE);
    let line = || vec![Violation::at("/lines/0/quantity", "expected 1 to 1000000")];
    let unpublished = |source| Problem::NotPublished { job_id, source };
    vec![
        Problem::BrokenOff,
        Problem::NotJson(vec![Violation::at(
            "",
            "not JSON: the body ends within a list at line 1 column 20",
        )]),
        Problem::KeyMissing,
        Problem::KeyUnknown,
        Problem::UnknownPath,
        Problem::UnknownJob,
        Problem::UnknownCommand { nearest: Some("orders.place") },
        Problem::UnknownMethod,
        Problem::TooSlow { deadline_ms: 10_000 },
        Problem::TooLarge { max_bytes: 262_144 },
        Problem::NotDeclaredJson,
        Problem::Invalid(line()),
        Problem::Bug,
        unpublished(PublishError::Unavailable(String::new())),
        unpublished(PublishError::Refused),
        unpublished(PublishError::Unroutable),
        unpublished(PublishError::Unknown(String::new())),
        Problem::Unreadable(ReadError::Silent),
        Problem::HashersBusy,
    ]
}
