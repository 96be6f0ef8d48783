//! What the operations share: schemas, parameters and headers.

use millrace_protocol::Catalog;
use millrace_protocol::ledger::Status;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::prefer::WAIT_MAX_SECONDS;

/// Schemas of requests and of responses. Both refer to shared parts under `components/schemas`.
pub(super) struct Schemas {
    pub request: SchemaGenerator,
    response: SchemaGenerator,
}

impl Schemas {
    pub fn new() -> Self {
        let settings = || {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings
        };
        let request = settings().with_transform(RecursiveTransform(close as fn(&mut Schema)));
        let response = settings().for_serialize();
        Self { request: request.into_generator(), response: response.into_generator() }
    }

    /// A reference to the schema of an answer.
    pub fn response<T: JsonSchema>(&mut self) -> Value {
        self.response.subschema_for::<T>().into()
    }

    pub fn all(mut self) -> Map<String, Value> {
        let mut all = self.response.take_definitions(true);
        all.extend(self.request.take_definitions(true));
        all.sort_keys();
        all
    }
}

/// The API refuses unknown fields, since a misspelt optional field must not be ignored silently.
fn close(schema: &mut Schema) {
    if schema.get("properties").is_some() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
}

pub(super) fn parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

pub(super) fn parameters(catalog: &Catalog) -> Value {
    let query = |name: &str, description: &str, schema: Value| json!({"name": name, "in": "query", "description": description, "schema": schema});
    let header = |name: &str, description: &str, schema: Value, example: &str| json!({"name": name, "in": "header", "description": description, "schema": schema, "example": example});
    let commands: Vec<_> = catalog.commands().map(|entry| entry.message_type).collect();
    let text = || json!({"type": "string"});
    json!({
        "job": {
            "name": "job", "in": "path", "required": true, "description": "The job's id, from the answer to its posting.",
            "schema": {"type": "string", "format": "uuid"},
        },
        "idempotency-key": header(
            "Idempotency-Key",
            "The client's own key for the job, so that posting it twice makes one job: a string in double quotes of 1 to 255 \
             visible ASCII characters, best without quotes and backslashes. Posted again with the same data, it is the \
             same job; with other data or another command, the answer is 422.",
            json!({"type": "string", "pattern": r#"^"[!#-\[\]-~]{1,255}"$"#}),
            r#""8e03978e-40d5-43dd-bc93-6894a57f9324""#,
        ),
        "prefer": header(
            "Prefer",
            &format!("`wait=5` waits up to 5 seconds for the outcome, and at most {WAIT_MAX_SECONDS}."),
            text(),
            "wait=5",
        ),
        "last-event-id": header("Last-Event-ID", "The id of the last event that arrived.", text(), "9c56cc51"),
        "wait": query(
            "wait",
            &format!("How many seconds to wait for the outcome; more than {WAIT_MAX_SECONDS} count as {WAIT_MAX_SECONDS}."),
            json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
        ),
        "status": query("status", "Only jobs with this status.", json!({"enum": Status::ALL})),
        "command": query("command", "Only jobs with this command.", json!({"enum": commands})),
        "since": query(
            "since",
            "Only jobs that a worker received at this time or later.",
            json!({"type": "string", "format": "date-time"}),
        ),
        "limit": query(
            "limit",
            "The most jobs on a page.",
            json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
        ),
        "cursor": query(
            "cursor",
            "Where the page begins: taken unchanged from `next` of the page before.",
            json!({"type": "string", "pattern": "^[0-9]{1,16}-[0-9a-f]{32}$"}),
        ),
    })
}

pub(super) fn headers() -> Value {
    let header = |description: &str, schema: Value| json!({"description": description, "schema": schema});
    let text = |description: &str| header(description, json!({"type": "string"}));
    json!({
        "correlation-id": {
            "description": "Leads to this request in the logs: the job's id, or one of its own.", "required": true,
            "schema": {"type": "string", "format": "uuid"},
        },
        "retry-after": header(
            "Seconds after which to try again.",
            json!({"type": "integer", "minimum": 1}),
        ),
        "location": header("Path of the job.", json!({"type": "string", "format": "uri-reference"})),
        "challenge": text("How to authenticate (RFC 6750 §3)."),
        "preference-applied": text("How long the request waited at most, such as `wait=5`."),
        "replayed": header("There if a worker had the job with this idempotency key already.", json!({"const": "true"})),
        "limit": text("How many requests the client has left (draft-ietf-httpapi-ratelimit-headers)."),
        "limit-policy": text("How many requests the client may send in how many seconds."),
        "link": text("Path of the next page, as `rel=\"next\"`."),
    })
}

/// A successful answer to a client, with these headers besides those of every answer to a client.
pub(super) fn answer(description: &str, kind: &str, schema: &Value, headers: &[(&str, &str)]) -> Value {
    let limits = [("RateLimit", "limit"), ("RateLimit-Policy", "limit-policy")];
    open_answer(description, kind, schema, &[&limits, headers].concat())
}

/// A successful answer of a public route.
pub(super) fn open_answer(description: &str, kind: &str, schema: &Value, headers: &[(&str, &str)]) -> Value {
    json!({"description": description, "headers": references(headers), "content": {kind: {"schema": schema}}})
}

pub(super) fn references(headers: &[(&str, &str)]) -> Map<String, Value> {
    let reference = |name: &str| json!({"$ref": format!("#/components/headers/{name}")});
    let every = [("X-Correlation-Id", "correlation-id")];
    every.iter().chain(headers).map(|(header, name)| ((*header).to_owned(), reference(name))).collect()
}
