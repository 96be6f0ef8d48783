//! Good bodies of every command, as upstream systems post them.

use millrace_contracts::catalog;
use millrace_protocol::Kind;
use serde_json::{Value, json};
use uuid::Uuid;

/// Every command with a body that is taken in.
pub fn all() -> Vec<(&'static str, Value)> {
    let commands = catalog().entries().iter().filter(|entry| entry.kind == Kind::Command);
    commands.map(|entry| (entry.message_type, posted(entry.message_type, entry.example()))).collect()
}

/// What the API makes of secrets is not posted.
fn posted(command: &str, mut example: Value) -> Value {
    match command {
        "auth.set-password" => {
            json!({"user_id": example["user_id"], "password": "correct horse battery staple"})
        }
        "auth.issue-api-key" => {
            if let Some(fields) = example.as_object_mut() {
                fields.remove("key_prefix");
                fields.remove("key_hash");
            }
            example
        }
        _ => example,
    }
}

pub fn register(email: &str) -> Value {
    json!({"email": email, "name": "Ada Lovelace"})
}

/// An order of a user.
pub fn order(user: Uuid) -> Value {
    json!({
        "user_id": user,
        "currency": "EUR",
        "lines": [{"sku": "TEA-EARL-GREY-250", "quantity": 2, "unit_price_minor": 1250}],
        "payment_method": "pm_ok",
    })
}

/// Of an order that nobody has placed: refused, and nothing follows from it.
pub fn cancel(order: Uuid) -> Value {
    json!({"order_id": order})
}
