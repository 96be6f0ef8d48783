//! What is asked about jobs: how one stands, and all that followed from it.

use serde_json::{Map, Value, json};

use super::parts::{Schemas, answer, parameter};
use super::problems;
use crate::jobs::trail::Trail;
use crate::jobs::view::View;

pub(super) fn paths(schemas: &mut Schemas) -> Map<String, Value> {
    let (view, trail) = (schemas.told::<View<'_>>(), schemas.told::<Trail<'_>>());
    let again = [("Retry-After", "retry-after")];
    [
        (
            "/v1/jobs/{job}",
            json!({"get": get("job", "How a job stands", answer(
                "How it stands. `Retry-After` is there as long as something still moves.",
                "application/json", json!({"schema": view}), &again,
            ))}),
        ),
        (
            "/v1/jobs/{job}/trail",
            json!({"get": get("trail", "Every message of a job", answer(
                "Every message that followed from the job, each after the one that caused it.",
                "application/json", json!({"schema": trail}), &[],
            ))}),
        ),
    ]
    .into_iter()
    .map(|(path, item)| (path.to_owned(), item))
    .collect()
}

fn get(name: &str, summary: &str, good: Value) -> Value {
    let mut responses = Map::from_iter([("200".to_owned(), good)]);
    responses.extend(problems::with(&[401, 404, 500, 503]));
    json!({
        "operationId": name,
        "tags": ["jobs"],
        "summary": summary,
        "parameters": [parameter("job")],
        "responses": responses,
    })
}
