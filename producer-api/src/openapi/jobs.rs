//! Looking jobs up: the client's jobs, one job, and the messages that follow from it, at once or as they happen.

use millrace_protocol::Catalog;
use serde_json::{Map, Value, json};

use super::commands::batch;
use super::components::{Schemas, answer, parameter, references};
use super::problems;
use crate::flow::Summary;
use crate::jobs::list::Listing;
use crate::jobs::trail::{Message, Trail};
use crate::jobs::view::View;

pub(super) fn paths(catalog: &Catalog, schemas: &mut Schemas) -> Map<String, Value> {
    let list = json!({"get": list(schemas), "post": batch(catalog, schemas)});
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
    let page =
        "A page of the client's jobs, newest first. A job that no worker has received yet is not among them.";
    let good = answer(page, "application/json", &schemas.response::<Listing>(), &[("Link", "link")]);
    let parameters = ["status", "command", "since", "limit", "cursor"];
    get("list", "List your jobs", &parameters, ("200", good), &[400, 401, 429, 500, 503])
}

fn view(schemas: &mut Schemas) -> Value {
    let view_now = "The job's status and outcome. `Retry-After` is there while its flow is running.";
    let headers = [("Retry-After", "retry-after"), ("Preference-Applied", "preference-applied")];
    let good = answer(view_now, "application/json", &schemas.response::<View<'_>>(), &headers);
    let parameters = ["job", "wait", "prefer"];
    get("job", "Look up a job", &parameters, ("200", good), &[400, 401, 404, 429, 500, 503])
}

fn trail(schemas: &mut Schemas) -> Value {
    let messages =
        "Every message that follows from the job, each after the one that caused it, and as a tree.";
    let good = answer(messages, "application/json", &schemas.response::<Trail<'_>>(), &[]);
    get("trail", "List every message of a job", &["job"], ("200", good), &[401, 404, 429, 500, 503])
}

fn events(schemas: &mut Schemas) -> Value {
    let stream = "Server-sent events: `message` when the status of one of the job's messages changes, `flow` when that of \
        the whole flow does. The schema is that of one event. The stream ends when the flow is settled.";
    let data = [schemas.response::<Message<'_>>(), schemas.response::<Summary>()];
    let event = json!({
        "type": "object",
        "properties": {
            "event": {"enum": ["message", "flow"]},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": {"anyOf": data}},
            "id": {"type": "string", "description": "Send it as `Last-Event-ID` to resume after this event."},
            "retry": {"type": "integer", "description": "Milliseconds to wait before a reconnect."},
        },
    });
    let good = answer(stream, "text/event-stream", &event, &[]);
    let parameters = ["job", "last-event-id"];
    let mut events = get(
        "events",
        "Follow a job's messages as they happen",
        &parameters,
        ("200", good),
        &[401, 404, 429, 500, 503],
    );
    events["responses"]["204"] = json!({"description": "Every event was sent, and no further one will come.", "headers": references(&[])});
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
