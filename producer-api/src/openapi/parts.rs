//! What the operations of the OpenAPI document share: schemas, parameters and headers.

use millrace_contracts::ledger::Status;
use millrace_contracts::{Kind, catalog};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::prefer::WAIT_MAX_SECONDS;

/// Schemas of what is asked and of what is told. Each refers to its parts under `components/schemas`.
pub(super) struct Schemas {
    pub asked: SchemaGenerator,
    told: SchemaGenerator,
}

impl Schemas {
    pub fn new() -> Self {
        let settings = || {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings
        };
        let asked = settings().with_transform(RecursiveTransform(close as fn(&mut Schema)));
        let told = settings().for_serialize();
        Self { asked: asked.into_generator(), told: told.into_generator() }
    }

    /// A reference to the schema of an answer.
    pub fn told<T: JsonSchema>(&mut self) -> Value {
        self.told.subschema_for::<T>().into()
    }

    pub fn all(mut self) -> Map<String, Value> {
        let mut all = self.told.take_definitions(true);
        all.extend(self.asked.take_definitions(true));
        all.sort_keys();
        all
    }
}

/// The door refuses fields that it does not know, since a misspelt optional one must not vanish silently.
fn close(schema: &mut Schema) {
    if schema.get("properties").is_some() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
}

pub(super) fn parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

pub(super) fn parameters() -> Value {
    let query = |name: &str, told: &str, schema: Value| json!({"name": name, "in": "query", "description": told, "schema": schema});
    let header = |name: &str, told: &str, schema: Value, example: &str| json!({"name": name, "in": "header", "description": told, "schema": schema, "example": example});
    let commands = catalog::all().iter().filter(|entry| entry.kind == Kind::Command);
    let commands: Vec<_> = commands.map(|entry| entry.message_type).collect();
    let text = || json!({"type": "string"});
    json!({
        "job": {
            "name": "job", "in": "path", "required": true, "description": "The job's id, as it was answered.",
            "schema": {"type": "string", "format": "uuid"},
        },
        "idempotency-key": header(
            "Idempotency-Key",
            "The client's name for the job, so that posting it twice makes one job: a string in double quotes of 1 to \
             255 visible ASCII characters, best without quotes and backslashes among them. With the same data the answer names the same job; with other data, or for \
             another command, it is 422.",
            json!({"type": "string", "pattern": r#"^"[!#-\[\]-~]{1,255}"$"#}),
            r#""8e03978e-40d5-43dd-bc93-6894a57f9324""#,
        ),
        "prefer": header(
            "Prefer",
            &format!("`wait=5` waits up to five seconds for the outcome ({WAIT_MAX_SECONDS} at most)."),
            text(),
            "wait=5",
        ),
        "last-event-id": header("Last-Event-ID", "The id of the last event that arrived.", text(), "9c56cc51"),
        "wait": query(
            "wait",
            &format!("For how many seconds the outcome is waited for; more than {WAIT_MAX_SECONDS} are taken as that."),
            json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
        ),
        "status": query("status", "Only those that stand so.", json!({"enum": Status::ALL})),
        "command": query("command", "Only those of this command.", json!({"enum": commands})),
        "since": query(
            "since",
            "Only those that a worker got at this time or later.",
            json!({"type": "string", "format": "date-time"}),
        ),
        "limit": query(
            "limit",
            "At most so many.",
            json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
        ),
        "cursor": query(
            "cursor",
            "Where the page begins: from `next` of the page before, as it is there.",
            json!({"type": "string", "pattern": "^[0-9]{1,16}-[0-9a-f]{32}$"}),
        ),
    })
}

pub(super) fn headers() -> Value {
    let header = |told: &str, schema: Value| json!({"description": told, "schema": schema});
    let text = |told: &str| header(told, json!({"type": "string"}));
    json!({
        "correlation-id": {
            "description": "Leads to this request in the logs.", "required": true,
            "schema": {"type": "string", "format": "uuid"},
        },
        "retry-after": header(
            "Seconds after which it makes sense to ask again.",
            json!({"type": "integer", "minimum": 1}),
        ),
        "location": header("Where the job is.", json!({"type": "string", "format": "uri-reference"})),
        "challenge": text("RFC 6750 §3."),
        "preference-applied": text("For how long the outcome was waited for at most, such as `wait=5`."),
        "replayed": header("There if a worker had the job of this idempotency key already.", json!({"const": "true"})),
        "limit": text("What is left of the client's requests (draft-ietf-httpapi-ratelimit-headers)."),
        "limit-policy": text("How many requests the client may send, and in how many seconds."),
        "link": text("Where the next page is, as `rel=\"next\"`."),
    })
}

/// A good answer to a client, with the headers that every client reads and these.
pub(super) fn answer(told: &str, kind: &str, schema: &Value, headers: &[(&str, &str)]) -> Value {
    let limits = [("RateLimit", "limit"), ("RateLimit-Policy", "limit-policy")];
    open_answer(told, kind, schema, &[&limits, headers].concat())
}

/// A good answer to whoever asks.
pub(super) fn open_answer(told: &str, kind: &str, schema: &Value, headers: &[(&str, &str)]) -> Value {
    json!({"description": told, "headers": references(headers), "content": {kind: {"schema": schema}}})
}

pub(super) fn references(headers: &[(&str, &str)]) -> Map<String, Value> {
    let reference = |name: &str| json!({"$ref": format!("#/components/headers/{name}")});
    let every = [("X-Correlation-Id", "correlation-id")];
    every.iter().chain(headers).map(|(header, name)| ((*header).to_owned(), reference(name))).collect()
}
