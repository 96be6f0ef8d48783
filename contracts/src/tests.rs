//! What the words of Millrace are on the wire, held fast: JSON, schemas, routes, topology and what is refused.

mod api_keys;
mod asyncapi;
mod bodies;
mod compatibility;
mod routes;
mod schemas;
mod values;
mod wire;
