//! The OpenAPI document (<https://spec.openapis.org/oas/v3.1.1>), from the types that the API reads and writes.

mod commands;
mod components;
mod jobs;
mod probes;
mod problems;
#[cfg(test)]
mod tests;

use millrace_protocol::Catalog;
use serde_json::{Map, Value, json};

use components::Schemas;

/// The document of an API with this catalog.
pub(crate) fn document(catalog: &Catalog) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    paths.extend(commands::paths(catalog, &mut schemas));
    paths.extend(jobs::paths(catalog, &mut schemas));
    paths.extend(probes::paths());
    let problem = schemas.response::<crate::problem::Details<'_>>();
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": catalog.about().title,
            "version": catalog.about().version,
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": tags(catalog),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, such as `mr_…`."},
            },
            "parameters": components::parameters(catalog),
            "headers": components::headers(),
            "responses": problems::responses(&problem),
            "schemas": schemas.all(),
        },
    })
}

const INTRODUCTION: &str = "\
Post jobs here; each goes to the domain that handles its command. 202 means that the broker has the job safely: it is never \
lost, and its effect happens once. `GET /v1/jobs/{job}` shows what became of it. A `traceparent` (W3C Trace Context) is \
carried on to all messages that follow from the job.

Errors are `application/problem+json` (RFC 9457): `type` is for programs, `detail` for people, and `errors` points into the \
body. Every answer has an `X-Correlation-Id`, which leads to its request in the logs.";

fn tags(catalog: &Catalog) -> Value {
    let domains = catalog.domains().iter().map(|domain| json!({"name": domain.as_str()}));
    let others = [
        ("jobs", "Look up what became of jobs, and post many at once."),
        ("operation", "Probes, metrics and documents: public, without a key."),
    ];
    let others = others.map(|(name, description)| json!({"name": name, "description": description}));
    Value::Array(domains.into_iter().chain(others).collect())
}
