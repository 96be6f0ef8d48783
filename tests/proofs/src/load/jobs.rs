//! Bodies of jobs, drawn at random.

use serde_json::{Value, json};
use uuid::Uuid;

use millrace_testkit::random::Random;

/// One job to be posted.
#[derive(Debug, Clone)]
pub struct Job {
    pub command: &'static str,
    pub body: Value,
    pub about: About,
}

/// Whom the answer concerns, as positions in the client model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    User(usize),
    Order(usize),
    Nobody,
}

impl Job {
    pub fn new(command: &'static str, body: Value, about: About) -> Self {
        Self { command, body, about }
    }
}

/// An order whose total is never the same for long.
pub fn place(random: &mut Random, order: Uuid, user: Uuid) -> Value {
    const CURRENCIES: [&str; 3] = ["EUR", "USD", "JPY"];
    let lines: Vec<Value> = (0..=random.below(3))
        .map(|line| {
            json!({
                "sku": format!("SKU-{}-{line}", random.below(1000)),
                "quantity": 1 + random.below(9),
                "unit_price_minor": 1 + random.below(20_000),
            })
        })
        .collect();
    json!({
        "order_id": order,
        "user_id": user,
        "currency": CURRENCIES[random.below(CURRENCIES.len())],
        "lines": lines,
        "payment_method": payment_method(random),
    })
}

fn payment_method(random: &mut Random) -> &'static str {
    match random.below(100) {
        0..80 => "pm_ok",
        80..92 => "pm_declined",
        92..96 => "pm_insufficient_funds",
        _ => "pm_flaky",
    }
}

/// One that every API refuses.
pub fn invalid(random: &mut Random, order: Uuid, user: Uuid) -> Value {
    let mut body = place(random, order, user);
    match random.below(3) {
        0 => body["lines"][0]["quantity"] = json!(0),
        1 => body["currency"] = json!("eur"),
        _ => body["colour"] = json!("red"),
    }
    body
}

pub fn register(user: Uuid, email: &str) -> Value {
    json!({"user_id": user, "email": email, "name": "Ada Lovelace"})
}

pub fn api_key(random: &mut Random) -> Value {
    json!({"key_id": random.uuid(), "client_id": "shop", "name": "Shop", "scopes": ["jobs:orders.*"]})
}
