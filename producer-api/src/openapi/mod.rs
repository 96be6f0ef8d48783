//! The OpenAPI document: the door as <https://spec.openapis.org/oas/v3.1.1> describes it, from the types that are read
//! and written here.

mod commands;
mod jobs;
mod parts;
mod probes;
mod problems;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use parts::Schemas;

/// The whole document.
pub(crate) fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    paths.extend(commands::paths(&mut schemas));
    paths.extend(jobs::paths(&mut schemas));
    paths.extend(probes::paths());
    let problem = schemas.told::<crate::problem::Details<'_>>();
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Millrace",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": tags(),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, such as `mr_…`."},
            },
            "parameters": parts::parameters(),
            "headers": parts::headers(),
            "responses": problems::responses(&problem),
            "schemas": schemas.all(),
        },
    })
}

const INTRODUCTION: &str = "\
Jobs go in here and come to the domain that they are for. 202 means that the broker has the job safely: it is never \
lost, and its effect happens once. What became of it is told by `GET /v1/jobs/{job}`. A `traceparent` (W3C Trace Context) \
is carried on to all that follows.

Whatever is not a good answer is `application/problem+json` (RFC 9457): `type` is for programs, `detail` for people, and \
`errors` points into the body. Every answer has an `X-Correlation-Id`, which leads to it in the logs.";

fn tags() -> Value {
    let domains = millrace_contracts::Domain::ALL.map(|domain| json!({"name": domain.name()}));
    let others = [("jobs", "What became of jobs."), ("operation", "For whoever keeps the door running.")];
    let others = others.map(|(name, told)| json!({"name": name, "description": told}));
    Value::Array(domains.into_iter().chain(others).collect())
}
