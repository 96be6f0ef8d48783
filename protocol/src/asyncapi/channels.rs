//! Channels of the AsyncAPI document: exchanges with their routing keys, and queues.

use serde_json::{Map, Value, json};

use super::messages::{FAILED, REPLY};
use super::{BINDING, named};
use crate::catalog::Entry;
use crate::exchanges::{COMMANDS, DEAD, EVENTS, REDRIVE, REPLIES, UNROUTED};
use crate::topology::{Exchange, Topology, dead_queue};
use crate::{Catalog, DelayQueue, DomainName, Route};

pub(super) fn all(catalog: &Catalog, topology: &Topology) -> Map<String, Value> {
    let mut channels = Map::new();
    for exchange in &topology.exchanges {
        if let Some(channel) = of_exchange(catalog, exchange) {
            channels.insert(exchange.name.clone(), channel);
        }
    }
    for domain in catalog.domains().iter().copied() {
        channels.insert(domain.as_str().to_owned(), main_queue(catalog, domain));
        channels.insert(dead_queue(domain), dead_letters(domain));
    }
    channels.insert(UNROUTED.to_owned(), unrouted(catalog));
    channels
}

/// Nobody publishes to an exchange that is not described here.
fn of_exchange(catalog: &Catalog, exchange: &Exchange) -> Option<Value> {
    let name = exchange.name.as_str();
    let types = || {
        catalog.entries().iter().filter(|entry| entry.route().exchange == name).map(message_type).collect()
    };
    let domains = || catalog.domains().iter().map(|domain| domain.as_str()).collect();
    let (description, keys, messages) = match name {
        COMMANDS => (
            "Commands; the routing key is the message's type. One that no binding routes goes to `unrouted`."
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
            catalog.entries().iter().map(message_type).collect(),
        ),
        REPLIES => (
            "Replies to API processes that wait; the routing key is the process's own queue, as `reply_to` of the command \
             said. One that nobody waits for any more goes nowhere."
                .to_owned(),
            Vec::new(),
            vec![REPLY],
        ),
        _ => (delay_queue(name)?, domains(), vec![FAILED]),
    };
    let mut key = json!({"description": "The routing key."});
    if !keys.is_empty() {
        key["enum"] = keys.into();
    }
    Some(json!({
        "address": "{key}",
        "title": format!("exchange {name}"),
        "description": description,
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

fn delay_queue(exchange: &str) -> Option<String> {
    let queue = DelayQueue::ALL.into_iter().find(|queue| queue.name() == exchange)?;
    Some(format!(
        "A message waits {} ms in the queue of the same name before its next attempt; the broker then moves it to the \
         queue that its routing key names, which is its domain's.",
        queue.delay().as_millis()
    ))
}

fn message_type(entry: &Entry) -> &'static str {
    entry.message_type
}

fn main_queue(catalog: &Catalog, domain: DomainName) -> Value {
    let handled = catalog.handled_by(domain);
    let description = "A quorum queue: all that this domain handles, at least once each. When it is full, the broker refuses \
        what is published to it.";
    queue(domain.as_str(), description, &named("components/messages", handled.map(message_type)))
}

fn dead_letters(domain: DomainName) -> Value {
    let description = "What this domain gave up: unreadable, or failed as often as its type is tried. It waits for a \
        person; `ops dead` lists it and sends it again.";
    queue(&dead_queue(domain), description, &named("components/messages", [FAILED]))
}

fn unrouted(catalog: &Catalog) -> Value {
    let description =
        "Commands that no binding routed, such as those of a domain that is not deployed. Must stay empty.";
    let commands = catalog.entries().iter().filter(|entry| entry.route() == Route::COMMAND);
    queue(UNROUTED, description, &named("components/messages", commands.map(message_type)))
}

fn queue(name: &str, description: &str, messages: &Map<String, Value>) -> Value {
    json!({
        "address": name,
        "title": format!("queue {name}"),
        "description": description,
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
