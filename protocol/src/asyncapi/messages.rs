//! Messages of the AsyncAPI document: body, headers and properties of every type, with an example each.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{BINDING, reference};
use crate::catalog::Entry;
use crate::reply::Reply;
use crate::{Catalog, Fingerprint, Kind};

/// The name under which any message appears where it went because it failed.
pub(super) const FAILED: &str = "failed";
/// The answer of a worker to an API process that waits.
pub(super) const REPLY: &str = "reply";

const EXAMPLE_CAUSE: &str = "01980000-0000-7000-8000-00000000c0de";

pub(super) fn all(catalog: &Catalog) -> Map<String, Value> {
    let mut messages: Map<_, _> =
        catalog.entries().iter().map(|entry| (entry.message_type.to_owned(), message(entry))).collect();
    messages.insert(FAILED.to_owned(), failed());
    messages.insert(REPLY.to_owned(), reply());
    messages
}

fn message(entry: &Entry) -> Value {
    let body = entry.example();
    json!({
        "name": entry.message_type,
        "title": entry.message_type,
        "summary": entry.schema().get("description"),
        "description": description(entry),
        "contentType": "application/json",
        "correlationId": reference("components/correlationIds/job"),
        "headers": reference("components/schemas/headers"),
        "payload": reference(&format!("components/schemas/{}", entry.message_type)),
        "x-amqp-properties": reference("components/schemas/properties"),
        "bindings": {"amqp": {"messageType": entry.message_type, "bindingVersion": BINDING}},
        "examples": [{"name": "example", "headers": example_headers(entry, &body), "payload": body}],
    })
}

fn description(entry: &Entry) -> String {
    let handlers: Vec<_> = entry.handlers().iter().map(|domain| format!("`{domain}`")).collect();
    let attempts = entry.retry.max_attempts();
    match (entry.kind, handlers.join(" and ")) {
        (Kind::Event, handlers) if handlers.is_empty() => {
            "An event. No domain here subscribes to it.".to_owned()
        }
        (Kind::Event, handlers) => format!("An event, delivered to {handlers}; tried {attempts} times."),
        (Kind::Command, handlers) => format!("A command, handled by {handlers}; tried {attempts} times."),
        (Kind::InternalCommand, handlers) => {
            format!(
                "A command that upstream systems can't post, handled by {handlers}; tried {attempts} times."
            )
        }
    }
}

fn example_headers(entry: &Entry, body: &Value) -> Value {
    json!({
        "version": entry.version,
        "causation-id": EXAMPLE_CAUSE,
        "client-id": "shop",
        "attempt": 1,
        "fingerprint": Fingerprint::of(body.to_string().as_bytes()),
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    })
}

/// A retry or a dead letter: the message as it was, with headers that say what happened.
fn failed() -> Value {
    json!({
        "name": FAILED,
        "title": "any message that failed",
        "summary": "A message that waits for its next attempt, or was given up. Properties and body are those it had.",
        "correlationId": reference("components/correlationIds/job"),
        "headers": reference("components/schemas/failed-headers"),
        "payload": {"description": "Whatever it was."},
        "x-amqp-properties": reference("components/schemas/properties"),
    })
}

fn reply() -> Value {
    json!({
        "name": REPLY,
        "title": "how a job came out",
        "summary": "Sent by the worker that handled a job's own command, to the API process that waits for it. Nothing but \
            time is lost with it. `null` says that the job was handled before.",
        "contentType": "application/json",
        "correlationId": reference("components/correlationIds/job"),
        "payload": {"oneOf": [reference("components/schemas/Reply"), {"type": "null"}]},
    })
}

/// Bodies and all that they refer to, headers, properties; in JSON Schema draft 07, as AsyncAPI's own dialect is.
pub(super) fn schemas(catalog: &Catalog) -> Map<String, Value> {
    let mut settings = SchemaSettings::draft07();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut schemas: Map<_, _> = catalog
        .entries()
        .iter()
        .map(|entry| (entry.message_type.to_owned(), entry.component(&mut generator).into()))
        .collect();
    generator.subschema_for::<Reply>();
    schemas.extend(generator.take_definitions(true));
    schemas.insert("properties".to_owned(), properties());
    schemas.insert("headers".to_owned(), headers());
    schemas.insert("failed-headers".to_owned(), failed_headers());
    schemas
}

fn properties() -> Value {
    json!({
        "type": "object",
        "description": "AMQP basic properties.",
        "properties": {
            "message_id": {"type": "string", "format": "uuid", "description": "A copy of a message keeps it."},
            "correlation_id": {"type": "string", "format": "uuid", "description": "The job's id."},
            "type": {"type": "string", "description": "The message's type, such as orders.place."},
            "content_type": {"const": "application/json"},
            "delivery_mode": {"const": 2, "description": "Persistent."},
            "reply_to": {"type": "string", "description": "The queue of an API process that waits for the outcome."},
            "timestamp": {"type": "integer", "description": "When it was sent, in seconds since 1970."},
        },
        "required": ["message_id", "correlation_id", "type"],
    })
}

fn headers() -> Value {
    json!({
        "type": "object",
        "properties": {
            "version": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "Version of the body's type."},
            "causation-id": {
                "type": "string", "format": "uuid",
                "description": "The message that caused this one; a job's first message is its own cause.",
            },
            "client-id": {"$ref": "#/components/schemas/ClientId"},
            "attempt": {"type": "integer", "minimum": 1, "description": "Which attempt this is, counted from 1."},
            "fingerprint": {
                "type": "string", "pattern": "^[0-9a-fA-F]{32}$",
                "description": "The first 128 bits of BLAKE3 over the body of the job's first message.",
            },
            "traceparent": {"type": "string", "description": "W3C Trace Context, carried on unchanged."},
            "tracestate": {"type": "string", "maxLength": 512, "description": "Belongs to traceparent."},
        },
        "required": ["version", "causation-id", "client-id", "attempt", "fingerprint"],
    })
}

fn failed_headers() -> Value {
    let time =
        |description: &str| json!({"type": "string", "format": "date-time", "description": description});
    json!({
        "allOf": [{"$ref": "#/components/schemas/headers"}],
        "type": "object",
        "description": "A foreign message may lack what it came without.",
        "properties": {
            "failure-class": {"enum": ["unreadable", "postponed", "effect", "defect", "crash"]},
            "failure-reason": {"type": "string", "description": "A sentence, at most 2048 bytes."},
            "first-failed-at": time("When it failed first."),
            "last-failed-at": time("When it failed last."),
            "failed-by": {"type": "string", "description": "Worker and version."},
        },
        "required": ["failure-class", "failure-reason", "first-failed-at", "last-failed-at", "failed-by"],
    })
}
