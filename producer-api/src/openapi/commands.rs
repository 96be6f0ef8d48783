//! Posting jobs: an operation for each command, with its data as it is posted, and one for a batch.

use millrace_protocol::{Catalog, Entry};
use serde_json::{Map, Value, json};

use super::components::{Schemas, answer, parameter};
use super::problems;
use crate::jobs::accepted::Accepted;
use crate::jobs::batch::{Outcome, Posted};
use crate::jobs::view::View;
use crate::secrets;

pub(super) fn paths(catalog: &Catalog, schemas: &mut Schemas) -> Map<String, Value> {
    let good = good(schemas);
    catalog
        .commands()
        .map(|command| {
            let post = post(command, schemas, good.clone());
            (format!("/v1/jobs/{}", command.message_type), json!({"post": post}))
        })
        .collect()
}

fn good(schemas: &mut Schemas) -> Map<String, Value> {
    let (accepted, view) = (schemas.response::<Accepted>(), schemas.response::<View<'_>>());
    let json = "application/json";
    let replayed = ("Idempotency-Replayed", "replayed");
    let waited = [("Preference-Applied", "preference-applied"), replayed];
    let accepted_now = "The broker has the job. `Location` is where to look up what becomes of it.";
    Map::from_iter([
        (
            "200".to_owned(),
            answer("The outcome, which came within the time that the client waits.", json, &view, &waited),
        ),
        ("202".to_owned(), answer(accepted_now, json, &accepted, &[("Location", "location"), replayed])),
    ])
}

fn post(command: &Entry, schemas: &mut Schemas, good: Map<String, Value>) -> Value {
    let (schema, example) = secrets::posted(command, &mut schemas.request);
    let content = json!({"schema": schema, "examples": {"example": {"value": example}}});
    let mut responses = good;
    responses.extend(problems::with(&[400, 401, 403, 408, 413, 415, 422, 429, 500, 503]));
    let documented =
        command.schema().get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    // The first sentence of a message's description says what the caller does.
    let (summary, more) = documented.split_once(". ").unwrap_or((documented.trim_end_matches('.'), ""));
    let needs = format!("Needs an API key with the scope `jobs:{}` or a wider one.", command.message_type);
    let description = if more.is_empty() { needs } else { format!("{more} {needs}") };
    json!({
        "operationId": command.message_type,
        "tags": [command.owner().as_str()],
        "summary": summary,
        "description": description,
        "parameters": [parameter("idempotency-key"), parameter("prefer")],
        "requestBody": {"required": true, "content": {"application/json": content}},
        "responses": responses,
    })
}

/// Before version 3.2, OpenAPI can describe a line only as if it were the whole body.
pub(super) fn batch(catalog: &Catalog, schemas: &mut Schemas) -> Value {
    let (posted, outcome) =
        (schemas.request.subschema_for::<Posted<'_>>(), schemas.response::<Outcome<'_>>());
    let example = |command: &Entry| {
        let (_, data) = secrets::posted(command, &mut schemas.request);
        let line = json!({"command": command.message_type, "data": data, "idempotency_key": "8e03978e-40d5"});
        (command.message_type.to_owned(), json!({"value": line}))
    };
    let examples: Map<String, Value> = catalog.commands().map(example).collect();
    let content = json!({"schema": posted, "examples": examples});
    let lines = "One line for each line of the request, in order. The schema is that of one line.";
    let good = answer(lines, "application/x-ndjson", &outcome, &[]);
    let mut responses = Map::from_iter([("200".to_owned(), good)]);
    responses.extend(problems::with(&[400, 401, 415, 429, 500, 503]));
    json!({
        "operationId": "batch",
        "tags": ["jobs"],
        "summary": "Post many jobs at once",
        "description": "One job on each line (NDJSON); the schema is that of one line. Request and answer are \
            streamed, so a batch may have any number of lines. A line that is refused does not stop the others.",
        "requestBody": {"required": true, "content": {"application/x-ndjson": content}},
        "responses": responses,
    })
}
