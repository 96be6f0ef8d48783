//! Operations of the AsyncAPI document: who sends and who receives what.

use serde_json::{Map, Value, json};

use super::messages::{FAILED, REPLY};
use super::{BINDING, reference, references};
use crate::catalog::{self, Entry};
use crate::topology::{COMMANDS, DEAD, EVENTS, REDRIVE, REPLIES, dead_queue};
use crate::{Domain, Kind, Rung};

pub(super) fn all() -> Map<String, Value> {
    let commands = types(|entry| entry.kind == Kind::Command);
    let mut operations = Map::new();
    let mut add = |name: String, operation| operations.insert(name, operation);
    add("door.send".to_owned(), send(COMMANDS, &commands, "Sends every job that it answers with 202."));
    for domain in Domain::ALL {
        let owns = |entry: &Entry| Domain::owning(entry.message_type) == Some(domain);
        let events = types(|entry| owns(entry) && entry.kind == Kind::Event);
        let internal = types(|entry| owns(entry) && entry.kind == Kind::InternalCommand);
        let handled = types(|entry| entry.handlers().any(|handler| handler == domain));
        let received = "Handles each message once, however often it is delivered, and acknowledges it after what \
            follows from it is confirmed.";
        add(format!("{domain}.receive"), receive(domain.name(), &handled, received));
        add(format!("{domain}.send"), send(EVENTS, &events, "Says what happened, after it was committed."));
        if !internal.is_empty() {
            let told = "Sent by the domain itself or by the door: upstream systems can't post them.";
            add(format!("internal.{domain}"), send(COMMANDS, &internal, told));
        }
        let given_up = "Gives up what is unreadable, or was tried in vain as often as its type allows.";
        add(format!("{domain}.give-up"), send(DEAD, &[FAILED], given_up));
        let looked_at = "`ops dead list` shows what was given up, and `ops dead redrive` takes it out.";
        add(format!("ops.take-from-{domain}"), receive(&dead_queue(domain), &[FAILED], looked_at));
    }
    let answered = "Says how a job came out, where a door waits for it.";
    let binding = json!({"deliveryMode": 1, "mandatory": false, "bindingVersion": BINDING});
    add("workers.reply".to_owned(), operation("send", REPLIES, &[REPLY], answered, &binding));
    add("door.receive".to_owned(), receive(REPLIES, &[REPLY], "Waits for the outcome, if its client does."));
    for rung in Rung::LADDER {
        let told = "What can't be done yet waits here before it is tried again.";
        let name = rung.exchange();
        add(format!("workers.{name}"), send(&name, &[FAILED], told));
    }
    let redriven = "Sends dead letters again, once their cause is mended.";
    add("ops.redrive".to_owned(), send(REDRIVE, &types(|_| true), redriven));
    operations
}

fn types(wanted: impl Fn(&Entry) -> bool) -> Vec<&'static str> {
    catalog::all().iter().filter(|entry| wanted(entry)).map(|entry| entry.message_type).collect()
}

fn send(channel: &str, messages: &[&str], told: &str) -> Value {
    // Only an event that no domain hears may go nowhere.
    let mandatory = channel != EVENTS || messages.iter().all(|name| is_heard(name));
    operation(
        "send",
        channel,
        messages,
        told,
        &json!({"deliveryMode": 2, "mandatory": mandatory, "timestamp": true, "bindingVersion": BINDING}),
    )
}

fn receive(channel: &str, messages: &[&str], told: &str) -> Value {
    operation("receive", channel, messages, told, &json!({"ack": true, "bindingVersion": BINDING}))
}

fn operation(action: &str, channel: &str, messages: &[&str], told: &str, binding: &Value) -> Value {
    json!({
        "action": action,
        "channel": reference(&format!("channels/{channel}")),
        "summary": told,
        "messages": references(&format!("channels/{channel}/messages"), messages),
        "bindings": {"amqp": binding},
    })
}

fn is_heard(message_type: &str) -> bool {
    catalog::find(message_type).is_some_and(|entry| entry.handlers().next().is_some())
}
