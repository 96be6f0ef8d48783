//! Probes and documents: what is answered without a key.

use serde_json::{Map, Value, json};

use super::parts::answer;

pub(super) fn paths() -> Map<String, Value> {
    let report = json!({
        "type": "object",
        "properties": {
            "ready": {"type": "boolean"},
            "checks": {"type": "object", "description": "What is needed: `ready`, or why it is not."},
        },
        "required": ["ready", "checks"],
    });
    let json = |schema: Value| ("application/json", json!({"schema": schema}));
    let text = |kind: &'static str| (kind, json!({"schema": {"type": "string"}}));
    let alive = json!({"type": "object", "properties": {"alive": {"const": true}}, "required": ["alive"]});
    let good = |told: &str, (kind, content): (&str, Value)| json!({"200": answer(told, kind, content, &[])});
    let mut ready = good("It should get work.", json(report.clone()));
    ready["503"] = answer("It should not get work.", "application/json", json!({"schema": report}), &[]);
    [
        ("/healthz", "Whether the process runs", good("It does.", json(alive))),
        ("/readyz", "Whether it should get work", ready),
        ("/metrics", "Metrics for Prometheus", good("All of them.", text("text/plain"))),
        ("/openapi.json", "This document", good("OpenAPI 3.1.", json(json!({"type": "object"})))),
        ("/docs", "This document, for people", good("A page.", text("text/html"))),
    ]
    .into_iter()
    .map(|(path, summary, responses)| (path.to_owned(), json!({"get": open(path, summary, &responses)})))
    .collect()
}

fn open(path: &str, summary: &str, responses: &Value) -> Value {
    json!({
        "operationId": path.trim_start_matches('/').replace('.', "-"),
        "tags": ["operation"],
        "summary": summary,
        "security": [],
        "responses": responses,
    })
}
