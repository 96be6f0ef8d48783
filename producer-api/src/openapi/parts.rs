//! What the operations of the OpenAPI document share: schemas, parameters and headers.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

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
    json!({
        "job": {
            "name": "job", "in": "path", "required": true, "description": "The job's id, as it was answered.",
            "schema": {"type": "string", "format": "uuid"},
        },
    })
}

pub(super) fn headers() -> Value {
    json!({
        "correlation-id": {
            "description": "Leads to this request in the logs.", "required": true,
            "schema": {"type": "string", "format": "uuid"},
        },
        "retry-after": {
            "description": "Seconds after which it makes sense to ask again.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "location": {"description": "Where the job is.", "schema": {"type": "string", "format": "uri-reference"}},
        "challenge": {"description": "RFC 6750 §3.", "schema": {"type": "string"}},
    })
}

/// A good answer, with the header that every answer has and these.
pub(super) fn answer(told: &str, kind: &str, content: Value, headers: &[(&str, &str)]) -> Value {
    json!({"description": told, "headers": references(headers), "content": {kind: content}})
}

pub(super) fn references(headers: &[(&str, &str)]) -> Map<String, Value> {
    let reference = |name: &str| json!({"$ref": format!("#/components/headers/{name}")});
    let every = [("X-Correlation-Id", "correlation-id")];
    every.iter().chain(headers).map(|(header, name)| ((*header).to_owned(), reference(name))).collect()
}
