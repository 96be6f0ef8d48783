//! How jobs go in: an operation for each command, with its data as it is posted, and one for many jobs at once.

use millrace_contracts::catalog::{self, Entry};
use millrace_contracts::{Domain, Kind};
use serde_json::{Map, Value, json};

use super::parts::{Schemas, answer, parameter};
use super::problems;
use crate::jobs::batch::{Outcome, Posted};
use crate::jobs::post::Accepted;
use crate::jobs::view::View;
use crate::secrets;

pub(super) fn paths(schemas: &mut Schemas) -> Map<String, Value> {
    let good = good(schemas);
    catalog::all()
        .iter()
        .filter(|entry| entry.kind == Kind::Command)
        .map(|command| {
            let post = post(command, schemas, good.clone());
            (format!("/v1/jobs/{}", command.message_type), json!({"post": post}))
        })
        .collect()
}

fn good(schemas: &mut Schemas) -> Map<String, Value> {
    let (accepted, view) = (schemas.told::<Accepted>(), schemas.told::<View<'_>>());
    let json = "application/json";
    let replayed = ("Idempotency-Replayed", "replayed");
    let waited = [("Preference-Applied", "preference-applied"), replayed];
    let told = "The broker has the job; what becomes of it is told at `Location`.";
    Map::from_iter([
        ("200".to_owned(), answer("The outcome was waited for, and came in time.", json, &view, &waited)),
        ("202".to_owned(), answer(told, json, &accepted, &[("Location", "location"), replayed])),
    ])
}

fn post(command: &Entry, schemas: &mut Schemas, good: Map<String, Value>) -> Value {
    let (schema, example) = secrets::posted(command, &mut schemas.asked);
    let content = json!({"schema": schema, "examples": {"example": {"value": example}}});
    let mut responses = good;
    responses.extend(problems::with(&[400, 401, 403, 408, 413, 415, 422, 429, 500, 503]));
    json!({
        "operationId": command.message_type,
        "tags": [Domain::owning(command.message_type).map(Domain::name)],
        "summary": command.schema().get("description"),
        "description": format!("Needs a key with the scope `jobs:{}`, or a wider one.", command.message_type),
        "parameters": [parameter("idempotency-key"), parameter("prefer")],
        "requestBody": {"required": true, "content": {"application/json": content}},
        "responses": responses,
    })
}

/// Before version 3.2, OpenAPI has no other way to describe a line than as if it were the whole.
pub(super) fn batch(schemas: &mut Schemas) -> Value {
    let (posted, outcome) = (schemas.asked.subschema_for::<Posted<'_>>(), schemas.told::<Outcome<'_>>());
    let example = json!({
        "command": "orders.cancel",
        "data": catalog::find("orders.cancel").map(Entry::example),
        "idempotency_key": "8e03978e-40d5",
    });
    let content = json!({"schema": posted, "examples": {"line": {"value": example}}});
    let told = "A line for each line, in order, as the jobs are taken in. The schema is that of one line.";
    let good = answer(told, "application/x-ndjson", &outcome, &[]);
    let mut responses = Map::from_iter([("200".to_owned(), good)]);
    responses.extend(problems::with(&[400, 401, 415, 429, 500, 503]));
    json!({
        "operationId": "batch",
        "tags": ["jobs"],
        "summary": "Posts many jobs at once",
        "description": "A job on each line (NDJSON); the schema is that of one line. Both ways are streamed, as many \
            lines as there may be. A line that is refused does not stop the others.",
        "requestBody": {"required": true, "content": {"application/x-ndjson": content}},
        "responses": responses,
    })
}
