//! What is in order passes, and whatever a case alone can know to be wrong is found. What nobody may do is told by the tests
//! of the invariants.

use std::collections::BTreeSet;

use millrace_protocol::MessageId;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::crash_points::cases::Target;
use crate::crash_points::load::{CLIENT, Handler, Load, Message};
use crate::evidence::{Digest, Effect, Entry, Evidence, Letter, Note, Order, Sent};

const BODY: &[u8] = b"{}";

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
        ..Evidence::default()
    };
    for (txid, message) in (1..).zip(&load.messages) {
        let id = message.id.0;
        let status = if given_up.contains(&id) { "dead" } else { load.status };
        let problem = (status != "succeeded").then_some("because");
        let (message_type, noted_at) = (message.message_type, OffsetDateTime::UNIX_EPOCH);
        let sent = Sent { id: message.id.derive(0).0, message_type: "orders.placed", body: Digest::of(BODY) };
        let fingerprint = super::submit(message, crate::history::Answer::Accepted(id)).fingerprint;
        evidence.ledger.push(Entry {
            handler: handler.domain,
            message_id: id,
            job_id: id,
            causation_id: id,
            client_id: CLIENT,
            message_type,
            status,
            attempts: 1,
            fingerprint: fingerprint.unwrap_or_default(),
            subject: Some(message.order),
            problem,
            emitted: if status == "succeeded" { vec![sent] } else { Vec::new() },
        });
        evidence.notes.push(Note {
            handler: handler.domain.as_str(),
            message_id: id,
            message_type,
            status,
            attempts: 1,
            problem,
            emitted_md5: None,
            txid,
            noted_at,
        });
        match status {
            "succeeded" => {
                evidence.effects.push(Effect {
                    operation: "INSERT",
                    place: handler.table,
                    key: message.order.to_string(),
                    old_version: None,
                    new_version: Some(1),
                    old_state: None,
                    new_state: Some("placed pending"),
                    txid,
                    noted_at,
                });
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
        evidence.queues.push(crate::evidence::Queue { name: "orders".to_owned(), ready: 2, unacked: 0 });
    });
    found("suspicion", "succeeded", |load, evidence| evidence.started_attempts.push(load.messages[0].id.0));
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
