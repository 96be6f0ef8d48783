//! Operations of the AsyncAPI document: who sends and who receives what.

use serde_json::{Map, Value, json};

use super::messages::{FAILED, REPLY};
use super::{BINDING, reference, references};
use crate::catalog::Entry;
use crate::exchanges::{COMMANDS, DEAD, EVENTS, REDRIVE, REPLIES};
use crate::topology::dead_queue;
use crate::{Catalog, DelayQueue, Kind};

pub(super) fn all(catalog: &Catalog) -> Map<String, Value> {
    let commands = types(catalog, |entry| entry.kind == Kind::Command);
    let mut operations = Map::new();
    let mut add = |name: String, operation| operations.insert(name, operation);
    add(
        "api.send".to_owned(),
        send(catalog, COMMANDS, &commands, "Sends every job that it answers with 202."),
    );
    for domain in catalog.domains().iter().copied() {
        let owns = |entry: &Entry| entry.owner() == domain;
        let events = types(catalog, |entry| owns(entry) && entry.kind == Kind::Event);
        let internal = types(catalog, |entry| owns(entry) && entry.kind == Kind::InternalCommand);
        let handled = types(catalog, |entry| entry.handlers().contains(&domain));
        let received = "Handles each message once, however often it is delivered, and acknowledges it after what \
            follows from it is confirmed.";
        add(format!("{domain}.receive"), receive(domain.as_str(), &handled, received));
        add(
            format!("{domain}.send"),
            send(catalog, EVENTS, &events, "Says what happened, after it was committed."),
        );
        if !internal.is_empty() {
            let summary = "Sent by the domain itself or by the API: upstream systems can't post them.";
            add(format!("internal.{domain}"), send(catalog, COMMANDS, &internal, summary));
        }
        let given_up = "Gives up what is unreadable, or failed as often as its type is tried.";
        add(format!("{domain}.give-up"), send(catalog, DEAD, &[FAILED], given_up));
        let looked_at = "`ops dead list` shows what was given up, and `ops dead redrive` takes it out.";
        add(format!("ops.take-from-{domain}"), receive(&dead_queue(domain), &[FAILED], looked_at));
    }
    let answered = "Says how a job came out, where an API process waits for it.";
    let binding = json!({"deliveryMode": 1, "mandatory": false, "bindingVersion": BINDING});
    add("workers.reply".to_owned(), operation("send", REPLIES, &[REPLY], answered, &binding));
    add("api.receive".to_owned(), receive(REPLIES, &[REPLY], "Waits for the outcome, if its client does."));
    for queue in DelayQueue::ALL {
        let summary = "What can't be done yet waits here before it is tried again.";
        let name = queue.name();
        add(format!("workers.{name}"), send(catalog, &name, &[FAILED], summary));
    }
    let redriven = "Sends dead letters again, once their cause is mended.";
    add("ops.redrive".to_owned(), send(catalog, REDRIVE, &types(catalog, |_| true), redriven));
    operations
}

fn types(catalog: &Catalog, wanted: impl Fn(&Entry) -> bool) -> Vec<&'static str> {
    catalog.entries().iter().filter(|entry| wanted(entry)).map(|entry| entry.message_type).collect()
}

fn send(catalog: &Catalog, channel: &str, messages: &[&str], summary: &str) -> Value {
    // Only an event that no domain subscribes to may go nowhere.
    let mandatory = channel != EVENTS || messages.iter().all(|name| catalog.route(name).mandatory);
    operation(
        "send",
        channel,
        messages,
        summary,
        &json!({"deliveryMode": 2, "mandatory": mandatory, "timestamp": true, "bindingVersion": BINDING}),
    )
}

fn receive(channel: &str, messages: &[&str], summary: &str) -> Value {
    operation("receive", channel, messages, summary, &json!({"ack": true, "bindingVersion": BINDING}))
}

fn operation(action: &str, channel: &str, messages: &[&str], summary: &str, binding: &Value) -> Value {
    json!({
        "action": action,
        "channel": reference(&format!("channels/{channel}")),
        "summary": summary,
        "messages": references(&format!("channels/{channel}/messages"), messages),
        "bindings": {"amqp": binding},
    })
}
