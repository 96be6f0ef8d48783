//! Channels of the AsyncAPI document: exchanges with their routing keys, and queues.

use serde_json::{Map, Value, json};

use super::messages::{FAILED, REPLY};
use super::{BINDING, named};
use crate::catalog::{self, Entry};
use crate::topology::{self, COMMANDS, DEAD, EVENTS, Exchange, REDRIVE, REPLIES, Topology, dead_queue};
use crate::{Domain, Rung};

pub(super) fn all(topology: &Topology) -> Map<String, Value> {
    let mut channels = Map::new();
    for exchange in &topology.exchanges {
        if let Some(channel) = of_exchange(exchange) {
            channels.insert(exchange.name.clone(), channel);
        }
    }
    for domain in Domain::ALL {
        channels.insert(domain.name().to_owned(), main_queue(domain));
        channels.insert(dead_queue(domain), dead_letters(domain));
    }
    channels.insert(topology::UNROUTED.to_owned(), unrouted());
    channels
}

/// Nobody publishes to an exchange that is not told of here.
fn of_exchange(exchange: &Exchange) -> Option<Value> {
    let name = exchange.name.as_str();
    let types = || catalog::all().iter().filter(|entry| entry.exchange() == name).map(message_type).collect();
    let domains = || Domain::ALL.map(Domain::name).to_vec();
    let (told, keys, messages) = match name {
        COMMANDS => (
            "Commands; the routing key is the message's type. One that no binding wants goes to `unrouted`."
                .to_owned(),
            types(),
            types(),
        ),
        EVENTS => ("Events; the routing key is the message's type.".to_owned(), types(), types()),
        DEAD => (
            "Where workers give messages up; the routing key is the domain.".to_owned(),
            domains(),
            vec![FAILED],
        ),
        REDRIVE => (
            "Where `ops dead redrive` sends dead letters again, with attempt 1, to their domain's queue."
                .to_owned(),
            domains(),
            catalog::all().iter().map(message_type).collect(),
        ),
        REPLIES => (
            "Answers to doors that wait; the routing key is the door's own queue, as `reply_to` of the command said. One \
             that nobody waits for any more goes nowhere."
                .to_owned(),
            Vec::new(),
            vec![REPLY],
        ),
        _ => (rung(name)?, domains(), vec![FAILED]),
    };
    let mut key = json!({"description": "The routing key."});
    if !keys.is_empty() {
        key["enum"] = keys.into();
    }
    Some(json!({
        "address": "{key}",
        "title": format!("exchange {name}"),
        "description": told,
        "parameters": {"key": key},
        "messages": named("components/messages", messages),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": name, "type": exchange.kind.name(), "durable": true, "autoDelete": false, "vhost": "/",
                },
                "bindingVersion": BINDING,
            },
        },
    }))
}

fn rung(exchange: &str) -> Option<String> {
    let rung = Rung::LADDER.into_iter().find(|rung| rung.exchange() == exchange)?;
    Some(format!(
        "A rung of the retry ladder: a message waits {} ms in the queue of the same name; the broker then moves it to \
         the queue that its routing key names, which is its domain's.",
        rung.delay().as_millis()
    ))
}

fn message_type(entry: &Entry) -> &'static str {
    entry.message_type
}

fn main_queue(domain: Domain) -> Value {
    let heard = catalog::all().iter().filter(|entry| entry.handlers().any(|handler| handler == domain));
    let told = "A quorum queue: all that this domain handles, at least once each. When it is full, the broker refuses \
        what is published to it.";
    queue(domain.name(), told, &named("components/messages", heard.map(message_type)))
}

fn dead_letters(domain: Domain) -> Value {
    let told = "What this domain gave up: unreadable, or tried in vain as often as its type allows. It waits for a \
        person; `ops dead` lists it and sends it again.";
    queue(&dead_queue(domain), told, &named("components/messages", [FAILED]))
}

fn unrouted() -> Value {
    let told =
        "Commands that no binding wanted, such as those of a domain that is not deployed. Must stay empty.";
    let commands = catalog::all().iter().filter(|entry| entry.exchange() == COMMANDS);
    queue(topology::UNROUTED, told, &named("components/messages", commands.map(message_type)))
}

fn queue(name: &str, told: &str, messages: &Map<String, Value>) -> Value {
    json!({
        "address": name,
        "title": format!("queue {name}"),
        "description": told,
        "messages": messages,
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": name, "durable": true, "exclusive": false, "autoDelete": false, "vhost": "/"},
                "bindingVersion": BINDING,
            },
        },
    })
}
