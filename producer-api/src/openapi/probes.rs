//! Probes and documents: what is answered without a key.

use serde_json::{Map, Value, json};

use super::parts::open_answer;
use super::problems;

const JSON: &str = "application/json";

pub(super) fn paths() -> Map<String, Value> {
    let report = json!({
        "type": "object",
        "properties": {
            "ready": {"type": "boolean"},
            "checks": {"type": "object", "description": "What is needed: `ready`, or why it is not."},
        },
        "required": ["ready", "checks"],
    });
    let alive = json!({"type": "object", "properties": {"alive": {"const": true}}, "required": ["alive"]});
    let text = json!({"type": "string"});
    let good = |told: &str, kind: &str, schema: &Value| json!({"200": open_answer(told, kind, schema, &[])});
    let mut ready = good("It should get work.", JSON, &report);
    ready["503"] = open_answer("It should not get work.", JSON, &report, &[]);
    [
        ("/healthz", "Whether the process runs", good("It does.", JSON, &alive)),
        ("/readyz", "Whether it should get work", ready),
        ("/metrics", "Metrics for Prometheus", good("All of them.", "text/plain", &text)),
        ("/openapi.json", "This document", good("OpenAPI 3.1.", JSON, &json!({"type": "object"}))),
        ("/docs", "This document, for people", good("A page.", "text/html", &text)),
    ]
    .into_iter()
    .map(|(path, summary, responses)| (path.to_owned(), json!({"get": open(path, summary, responses)})))
    .collect()
}

fn open(path: &str, summary: &str, mut responses: Value) -> Value {
    if let Some(responses) = responses.as_object_mut() {
        responses.extend(problems::with(&[500]));
    }
    json!({
        "operationId": path.trim_start_matches('/').replace('.', "-"),
        "tags": ["operation"],
        "summary": summary,
        "security": [],
        "responses": responses,
    })
}
