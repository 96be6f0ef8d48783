//! The AsyncAPI document: exchanges, queues and messages as <https://www.asyncapi.com/docs/reference/specification/v3.0.0>
//! describes them, from the catalog and the topology.

mod channels;
mod messages;
mod operations;

use serde_json::{Map, Value, json};

use crate::topology::topology;

/// Version of the AMQP bindings, <https://github.com/asyncapi/bindings/tree/master/amqp>.
const BINDING: &str = "0.3.0";

/// The whole document.
#[must_use]
pub fn document() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Millrace",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The messages behind the door: commands, which have one handler and may be refused, and \
                events, which say what happened. Bodies are plain JSON; everything else stands in AMQP properties and \
                headers. A message whose body is unreadable, or that was tried in vain too often, is given up with \
                headers that say why.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "rabbitmq": {
                "host": "localhost:5672",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ 3.10 or later. Exchanges, queues and policies are made by `ops topology apply`.",
                "security": [{"$ref": "#/components/securitySchemes/user"}],
            },
        },
        "channels": channels::all(&topology(1.0)),
        "operations": operations::all(),
        "components": {
            "messages": messages::all(),
            "schemas": messages::schemas(),
            "correlationIds": {
                "job": {
                    "description": "The job's id, in the AMQP property correlation_id (not in the headers table).",
                    "location": "$message.header#/correlation_id",
                },
            },
            "securitySchemes": {"user": {"type": "userPassword", "description": "A user of the broker."}},
        },
    })
}

/// A reference within the document; the names used here need no escaping (RFC 6901).
fn reference(path: &str) -> Value {
    json!({"$ref": format!("#/{path}")})
}

fn references<N: AsRef<str>>(folder: &str, names: impl IntoIterator<Item = N>) -> Vec<Value> {
    names.into_iter().map(|name| reference(&format!("{folder}/{}", name.as_ref()))).collect()
}

/// An object of named things that are defined elsewhere under the same names.
fn named<N: AsRef<str>>(folder: &str, names: impl IntoIterator<Item = N>) -> Map<String, Value> {
    let entry = |name: N| (name.as_ref().to_owned(), reference(&format!("{folder}/{}", name.as_ref())));
    names.into_iter().map(entry).collect()
}
