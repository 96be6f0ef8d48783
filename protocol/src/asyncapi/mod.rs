//! The AsyncAPI document: exchanges, queues and messages as <https://www.asyncapi.com/docs/reference/specification/v3.0.0>
//! describes them, from the catalog and the topology.

mod channels;
mod messages;
mod operations;

use serde_json::{Map, Value, json};

use crate::Catalog;
use crate::topology::Topology;

/// Version of the AMQP bindings, <https://github.com/asyncapi/bindings/tree/master/amqp>.
const BINDING: &str = "0.3.0";

/// The whole document.
#[must_use]
pub fn document(catalog: &Catalog) -> Value {
    let about = catalog.about();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": about.title,
            "version": about.version,
            "description": about.description,
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
        "channels": channels::all(catalog, &Topology::of(catalog, 1.0)),
        "operations": operations::all(catalog),
        "components": {
            "messages": messages::all(catalog),
            "schemas": messages::schemas(catalog),
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
