//! Probes, metrics and documents: the routes that need no API key.

use serde_json::{Map, Value, json};

use super::components::open_answer;
use super::problems;

const JSON: &str = "application/json";

pub(super) fn paths() -> Map<String, Value> {
    let report = json!({
        "type": "object",
        "properties": {
            "ready": {"type": "boolean"},
            "checks": {"type": "object", "description": "Each thing that the API needs: `ready`, or why it is not."},
        },
        "required": ["ready", "checks"],
    });
    let alive = json!({"type": "object", "properties": {"alive": {"const": true}}, "required": ["alive"]});
    let text = json!({"type": "string"});
    let good = |description: &str, kind: &str, schema: &Value| json!({"200": open_answer(description, kind, schema, &[])});
    let mut ready = good("Requests can be served.", JSON, &report);
    ready["503"] = open_answer("Requests can't be served at the moment.", JSON, &report, &[]);
    [
        ("/healthz", "Check that the process runs", good("It runs.", JSON, &alive)),
        ("/readyz", "Check whether requests can be served", ready),
        (
            "/metrics",
            "Read the metrics",
            good("All metrics, in Prometheus' text format.", "text/plain", &text),
        ),
        ("/openapi.json", "Read this document", good("OpenAPI 3.1.", JSON, &json!({"type": "object"}))),
        ("/docs", "Read this document in a browser", good("A page of Swagger UI.", "text/html", &text)),
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
