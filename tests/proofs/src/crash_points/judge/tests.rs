//! What is in order passes, and whatever a case alone can know to be wrong is found. What nobody may do is told by the tests
//! of the invariants.

use std::collections::BTreeSet;

use millrace_protocol::MessageId;
use uuid::Uuid;

use crate::crash_points::cases::Target;
use crate::crash_points::load::{CLIENT, Handler, Load, Message};
use crate::evidence::{Digest, Effect, Evidence, Letter, Note, Order, Queue};
use crate::invariants::given::{effect, handled};

/// What stands for the body of whatever follows.
const BODY: &[u8] = b"body";

fn load(status: &'static str) -> Load {
    let message = |_| {
        let order = Uuid::now_v7();
        let body = serde_json::json!({"order_id": order, "lines": [], "currency": "EUR"});
        Message {
            id: MessageId(Uuid::now_v7()),
            message_type: "orders.place",
            body: body.to_string(),
            order,
            follow_up: (status == "succeeded").then_some("orders.placed"),
        }
    };
    Load {
        handler: Handler::of(Target::Orders),
        openers: Vec::new(),
        messages: (0..3).map(message).collect(),
        status,
        attempts: 1,
        versions: if status == "succeeded" { &[1] } else { &[] },
        news: None,
    }
}

/// All in order, but for these, which were given up.
fn evidence(load: &Load, given_up: &BTreeSet<Uuid>) -> Evidence {
    let handler = load.handler;
    let mut evidence = Evidence {
        history: load.history(given_up),
        client: CLIENT.to_owned(),
        domains: vec![handler.domain],
        queues: vec![Queue { name: handler.subscriber.to_string(), ready: 0, unacked: 0 }],
        ..Evidence::default()
    };
    for message in &load.messages {
        let id = message.id.0;
        let status = if given_up.contains(&id) { "dead" } else { load.status };
        let sends = (status == "succeeded").then_some("orders.placed");
        handled(&mut evidence, (id, id), handler.domain, message.message_type, sends);
        let problem = (status != "succeeded").then_some("because");
        let (note, entry) = (evidence.notes.last_mut(), evidence.ledger.last_mut());
        let (note, entry) = (note.expect("it is handled"), entry.expect("it is handled"));
        (note.status, note.problem) = (status, problem);
        (entry.status, entry.problem) = (status, problem);
        (entry.job_id, entry.client_id, entry.subject) = (id, CLIENT, Some(message.order));
        let submit = super::submit(message, crate::history::Answer::Accepted(id));
        entry.fingerprint = submit.fingerprint.unwrap_or_default();
        match status {
            "succeeded" => {
                effect(&mut evidence, handler.table, message.order, 1, [None, Some("placed pending")]);
                evidence.orders.push(Order {
                    order_id: message.order,
                    currency: "EUR".to_owned(),
                    total_minor: 0,
                    status: "placed".to_owned(),
                    payment: "pending".to_owned(),
                });
                evidence.waiting.push(letter("payments", message.id.derive(0).0, message, ""));
            }
            "dead" => {
                let class = if given_up.is_empty() { "unreadable" } else { "crash" };
                evidence.letters.push(letter("orders.dead", id, message, class));
            }
            _ => {}
        }
    }
    evidence
}

fn letter(queue: &str, id: Uuid, message: &Message, class: &str) -> Letter {
    let (message_type, body) = match class {
        "" => ("orders.placed", BODY),
        _ => (message.message_type, message.body.as_bytes()),
    };
    Letter {
        queue: queue.to_owned(),
        message_id: id.to_string(),
        message_type: message_type.to_owned(),
        job_id: message.id.to_string(),
        body: Digest::of(body),
        class: class.to_owned(),
        reason: String::new(),
        attempt: 1,
    }
}

/// Spoils what is in order, and demands that this is found.
fn found(what: &str, status: &'static str, spoil: impl Fn(&Load, &mut Evidence)) {
    let (load, none) = (load(status), BTreeSet::new());
    let mut evidence = evidence(&load, &none);
    assert_eq!(load.findings(&none, &evidence), Vec::<String>::new(), "before it is spoilt");
    spoil(&load, &mut evidence);
    let findings = load.findings(&none, &evidence).join("; ");
    assert!(findings.contains(what), "`{what}` is not among: {findings}");
}

#[test]
fn whatever_is_lost_is_found() {
    found("has 0 rows", "succeeded", |_, evidence| drop(evidence.ledger.pop()));
    found("went through []", "succeeded", |_, evidence| drop(evidence.effects.pop()));
    found("never reached", "succeeded", |_, evidence| drop(evidence.waiting.pop()));
    found("has vanished", "dead", |_, evidence| drop(evidence.letters.pop()));
}

#[test]
fn whatever_happens_twice_is_found() {
    for status in ["succeeded", "refused"] {
        found("more than once", status, |_, evidence| evidence.notes.push(evidence.notes[0].clone()));
    }
    for version in [1, 2] {
        found(&format!("went through [1, {version}]"), "succeeded", |_, evidence| {
            evidence.effects.push(Effect { new_version: Some(version), ..evidence.effects[0].clone() });
        });
    }
}

#[test]
fn copies_must_be_the_same_and_follow_from_something() {
    let (load, none) = (load("succeeded"), BTreeSet::new());
    let mut evidence = evidence(&load, &none);
    evidence.waiting.push(evidence.waiting[0].clone());
    assert_eq!(load.findings(&none, &evidence), Vec::<String>::new());
    assert_eq!(super::copies(evidence.waiting.iter()), 1);
    found("has kept", "succeeded", |_, evidence| evidence.waiting[0].body = Digest::of(b"{1}"));
    found("nobody sent out", "succeeded", |load, evidence| {
        evidence.waiting.push(letter("payments", Uuid::now_v7(), &load.messages[0], ""));
    });
}

#[test]
fn innocent_dead_letters_and_wrong_reasons_are_found() {
    found("innocent", "succeeded", |load, evidence| {
        let message = &load.messages[0];
        evidence.letters.push(letter("orders.dead", message.id.0, message, "crash"));
    });
    found("another reason", "dead", |_, evidence| evidence.letters[0].class = "defect".to_owned());
    found("another body", "dead", |_, evidence| evidence.letters[0].body = Digest::of(b"[]"));
}

#[test]
fn what_is_left_is_found() {
    found("not empty", "succeeded", |_, evidence| {
        evidence.queues.push(Queue { name: "orders".to_owned(), ready: 2, unacked: 0 });
    });
    found("never ended", "succeeded", |load, evidence| evidence.started_attempts.push(load.messages[0].id.0));
    found("expected (\"succeeded\", 1", "succeeded", |_, evidence| evidence.ledger[0].attempts = 2);
    found("earlier attempt", "succeeded", |_, evidence| {
        let note = Note { status: "retrying", attempts: 2, ..evidence.notes[0].clone() };
        evidence.notes.insert(0, note);
    });
}

#[test]
fn what_was_given_up_is_dead_and_has_left_nothing_behind() {
    let load = load("succeeded");
    let given_up = BTreeSet::from([load.messages[0].id.0]);
    let mut evidence = evidence(&load, &given_up);
    evidence.started_attempts.push(load.messages[0].id.0);
    assert_eq!(load.findings(&given_up, &evidence), Vec::<String>::new());
    // Another one that nobody has counted is innocent.
    evidence.letters.push(letter("orders.dead", load.messages[1].id.0, &load.messages[1], "crash"));
    let findings = load.findings(&given_up, &evidence);
    assert!(findings.iter().any(|finding| finding.contains("innocent")), "{findings:?}");
}
