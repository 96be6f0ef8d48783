//! `POST /v1/jobs/{command}`: one operation for each command, with its data as it is posted.

use millrace_contracts::catalog::{self, Entry};
use millrace_contracts::{Domain, Kind};
use serde_json::{Map, Value, json};

use super::parts::{Schemas, answer};
use super::problems;
use crate::jobs::post::Accepted;
use crate::secrets;

pub(super) fn paths(schemas: &mut Schemas) -> Map<String, Value> {
    let accepted = schemas.told::<Accepted>();
    catalog::all()
        .iter()
        .filter(|entry| entry.kind == Kind::Command)
        .map(|command| {
            let post = post(command, schemas, &accepted);
            (format!("/v1/jobs/{}", command.message_type), json!({"post": post}))
        })
        .collect()
}

fn post(command: &Entry, schemas: &mut Schemas, accepted: &Value) -> Value {
    let (schema, example) = secrets::posted(command, &mut schemas.asked);
    let content = json!({"schema": schema, "examples": {"example": {"value": example}}});
    let mut responses = Map::new();
    let told = "The broker has the job; what becomes of it is told at `Location`.";
    let headers = [("Location", "location")];
    responses
        .insert("202".to_owned(), answer(told, "application/json", json!({"schema": accepted}), &headers));
    responses.extend(problems::with(&[400, 401, 408, 413, 415, 422, 500, 503]));
    json!({
        "operationId": command.message_type,
        "tags": [Domain::owning(command.message_type).map(Domain::name)],
        "summary": command.schema().get("description"),
        "requestBody": {"required": true, "content": {"application/json": content}},
        "responses": responses,
    })
}
