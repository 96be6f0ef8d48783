//! What is asked about jobs: which there are, how one stands, and all that followed from it, at once or as it happens.

use serde_json::{Map, Value, json};

use super::commands::batch;
use super::parts::{Schemas, answer, parameter, references};
use super::problems;
use crate::flow::Summary;
use crate::jobs::list::Listing;
use crate::jobs::trail::{Message, Trail};
use crate::jobs::view::View;

pub(super) fn paths(schemas: &mut Schemas) -> Map<String, Value> {
    let list = json!({"get": list(schemas), "post": batch(schemas)});
    [
        ("/v1/jobs", list),
        ("/v1/jobs/{job}", json!({"get": view(schemas)})),
        ("/v1/jobs/{job}/trail", json!({"get": trail(schemas)})),
        ("/v1/jobs/{job}/events", json!({"get": events(schemas)})),
    ]
    .into_iter()
    .map(|(path, item)| (path.to_owned(), item))
    .collect()
}

fn list(schemas: &mut Schemas) -> Value {
    let told =
        "A page of them, those that came last first. One that no worker has touched yet is not among them.";
    let good = answer(told, "application/json", &schemas.told::<Listing>(), &[("Link", "link")]);
    let parameters = ["status", "command", "since", "limit", "cursor"];
    get("list", "The client's jobs", &parameters, ("200", good), &[400, 401, 429, 500, 503])
}

fn view(schemas: &mut Schemas) -> Value {
    let told = "How it stands. `Retry-After` is there as long as something still moves.";
    let headers = [("Retry-After", "retry-after"), ("Preference-Applied", "preference-applied")];
    let good = answer(told, "application/json", &schemas.told::<View<'_>>(), &headers);
    let parameters = ["job", "wait", "prefer"];
    get("job", "How a job stands", &parameters, ("200", good), &[400, 401, 404, 429, 500, 503])
}

fn trail(schemas: &mut Schemas) -> Value {
    let told = "Every message that followed from the job, each after the one that caused it, and as a tree.";
    let good = answer(told, "application/json", &schemas.told::<Trail<'_>>(), &[]);
    get("trail", "Every message of a job", &["job"], ("200", good), &[401, 404, 429, 500, 503])
}

fn events(schemas: &mut Schemas) -> Value {
    let told = "Server-sent events: `message` when one of the job's messages stands otherwise than before, `flow` when \
        the whole does. The schema is that of one event. It ends when nothing moves any more.";
    let data = [schemas.told::<Message<'_>>(), schemas.told::<Summary>()];
    let event = json!({
        "type": "object",
        "properties": {
            "event": {"enum": ["message", "flow"]},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": {"anyOf": data}},
            "id": {"type": "string", "description": "For `Last-Event-ID`."},
            "retry": {"type": "integer", "description": "Milliseconds after which to come back."},
        },
    });
    let good = answer(told, "text/event-stream", &event, &[]);
    let parameters = ["job", "last-event-id"];
    let mut events = get(
        "events",
        "A job's messages as they happen",
        &parameters,
        ("200", good),
        &[401, 404, 429, 500, 503],
    );
    events["responses"]["204"] =
        json!({"description": "All was told, and nothing more will come.", "headers": references(&[])});
    events
}

fn get(name: &str, summary: &str, parameters: &[&str], good: (&str, Value), problems: &[u16]) -> Value {
    let (status, answer) = good;
    let mut responses = Map::from_iter([(status.to_owned(), answer)]);
    responses.extend(problems::with(problems));
    json!({
        "operationId": name,
        "tags": ["jobs"],
        "summary": summary,
        "parameters": parameters.iter().map(|name| parameter(name)).collect::<Vec<_>>(),
        "responses": responses,
    })
}
