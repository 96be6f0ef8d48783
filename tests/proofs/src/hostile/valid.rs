//! Valid messages, from which the malformed ones are made.

use millrace_contracts::{orders, users};
use millrace_protocol::Contract;
use uuid::Uuid;

use crate::hostile::amqp::{Field, Message};

/// The domain whose worker is attacked.
pub const QUEUE: &str = "orders";
pub const DEAD: &str = "orders.dead";

/// An order of a known customer; it succeeds.
pub fn order(id: Uuid) -> Message {
    let place = orders::Place { order_id: None, ..orders::Place::example() };
    message(id, orders::Place::TYPE, serde_json::to_vec(&place).expect("an order is JSON"))
}

/// The event that makes the customer known.
pub fn customer(id: Uuid) -> Message {
    let registered = users::Registered::example();
    message(id, users::Registered::TYPE, serde_json::to_vec(&registered).expect("an event is JSON"))
}

fn message(id: Uuid, message_type: &str, body: Vec<u8>) -> Message {
    let id = id.to_string().into_bytes();
    let headers = [
        ("version", Field::number(1)),
        ("causation-id", Field::text(&id)),
        ("client-id", Field::text("dev")),
        ("attempt", Field::number(1)),
        ("fingerprint", Field::text("0".repeat(32))),
    ];
    Message {
        content_type: Some(b"application/json".to_vec()),
        headers: Some(headers.map(|(key, value)| (key.as_bytes().to_vec(), value)).to_vec()),
        delivery_mode: Some(2),
        correlation_id: Some(id.clone()),
        message_id: Some(id),
        timestamp: Some(1_750_000_000),
        kind: Some(message_type.as_bytes().to_vec()),
        body,
        ..Message::default()
    }
}
