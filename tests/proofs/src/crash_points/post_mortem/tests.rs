//! What is in order passes, and whatever is spoilt is found: a check that can't fail is worthless.

use millrace_contracts::MessageId;
use millrace_testkit::journal::{Effect, Note};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Evidence, Letter, Row, examine};
use crate::crash_points::cases::{Case, Deaths, Mortal, OF_WORKERS, Outcome, Position};
use crate::crash_points::load::{Load, Message, Stage};

const PLACED: &str = r#"{"order_id":"…"}"#;

fn case(deaths: Deaths, outcome: Outcome) -> Case {
    // Before the commit, so that exactly one is given up.
    Case { mortal: Mortal::Orders, point: OF_WORKERS[3], position: Position::First, deaths, outcome }
}

fn load(status: &'static str) -> Load {
    let follow_up = (status == "succeeded").then_some("orders.placed");
    let message = |_| Message {
        id: MessageId(Uuid::now_v7()),
        message_type: "orders.place",
        body: "{}".to_owned(),
        order: Uuid::now_v7(),
        follow_up,
    };
    Load {
        stage: Stage::of(Mortal::Orders),
        openers: Vec::new(),
        messages: (0..3).map(message).collect(),
        status,
        attempts: 1,
        versions: if status == "succeeded" { &[1] } else { &[] },
        awaited: None,
    }
}

fn note(message: &Message, status: &str) -> Note {
    Note {
        seq: 0,
        operation: "INSERT".to_owned(),
        handler: "orders".to_owned(),
        message_id: message.id.0,
        job_id: message.id.0,
        causation_id: message.id.0,
        client_id: "crash-points".to_owned(),
        message_type: message.message_type.to_owned(),
        status: status.to_owned(),
        attempts: 1,
        problem: None,
        emitted_md5: None,
        txid: 0,
        noted_at: OffsetDateTime::UNIX_EPOCH,
    }
}

fn effect(message: &Message, version: i64) -> Effect {
    Effect {
        seq: 0,
        operation: "INSERT".to_owned(),
        place: "orders.orders".to_owned(),
        key: message.order.to_string(),
        old_version: None,
        new_version: Some(version),
        old_state: None,
        new_state: None,
        amount: None,
        currency: None,
        txid: 0,
        noted_at: OffsetDateTime::UNIX_EPOCH,
    }
}

fn letter(id: Uuid, message: &Message, failure_class: Option<&str>) -> Letter {
    Letter {
        id: Some(id),
        message_type: Some("orders.placed".to_owned()),
        job: Some(message.id.to_string()),
        body: if failure_class.is_some() { b"{}".to_vec() } else { PLACED.as_bytes().to_vec() },
        attempt: Some(1),
        failure_class: failure_class.map(str::to_owned),
    }
}

/// All in order.
fn evidence(load: &Load) -> Evidence {
    let mut evidence = Evidence::default();
    for message in &load.messages {
        let emitted = message.follow_up.map(|_| format!(r#"[{{"body":{PLACED}}}]"#));
        let (message_id, status) = (message.id.0, load.status.to_owned());
        evidence.rows.push(Row { message_id, status, attempts: 1, emitted });
        evidence.notes.push(note(message, load.status));
        match load.status {
            "succeeded" => {
                evidence.effects.push(effect(message, 1));
                evidence.follow_ups.push(letter(message.follow_up_id().0, message, None));
            }
            "dead" => evidence.dead.push(letter(message.id.0, message, Some("unreadable"))),
            _ => {}
        }
    }
    evidence
}

/// Spoils what is in order, and demands that this is found.
fn found(what: &str, spoil: impl Fn(&Load, &mut Evidence)) {
    found_in(what, "succeeded", Outcome::Success, spoil);
}

fn found_in(what: &str, status: &'static str, outcome: Outcome, spoil: impl Fn(&Load, &mut Evidence)) {
    let (case, load) = (case(Deaths::Once, outcome), load(status));
    let mut evidence = evidence(&load);
    assert_eq!(examine(&case, &load, &evidence), Vec::<String>::new(), "before it is spoilt");
    spoil(&load, &mut evidence);
    let findings = examine(&case, &load, &evidence).join("; ");
    assert!(findings.contains(what), "`{what}` is not among: {findings}");
}

#[test]
fn whatever_is_lost_is_found() {
    found("has 0 rows", |_, evidence| drop(evidence.rows.pop()));
    found("went through []", |_, evidence| drop(evidence.effects.pop()));
    found("was never sent", |_, evidence| drop(evidence.follow_ups.pop()));
    let dead = Outcome::DeadLetter;
    found_in("but not in its queue", "dead", dead, |_, evidence| drop(evidence.dead.pop()));
}

#[test]
fn whatever_happens_twice_is_found() {
    found("came to its end 2 times", |load, evidence| {
        evidence.notes.push(note(&load.messages[0], "succeeded"));
    });
    found("went through [Some(1), Some(2)]", |load, evidence| {
        evidence.effects.push(effect(&load.messages[0], 2));
    });
    found("went through [Some(1), Some(1)]", |load, evidence| {
        evidence.effects.push(effect(&load.messages[0], 1));
    });
    found_in("came to its end 2 times", "refused", Outcome::Refusal, |load, evidence| {
        evidence.notes.push(note(&load.messages[0], "refused"));
    });
}

#[test]
fn copies_must_be_the_same() {
    let (case, load) = (case(Deaths::Once, Outcome::Success), load("succeeded"));
    let mut evidence = evidence(&load);
    evidence.follow_ups.push(evidence.follow_ups[0].clone());
    assert_eq!(examine(&case, &load, &evidence), Vec::<String>::new());
    assert_eq!(evidence.copies(), 1);
    found("the copies of", |_, evidence| {
        let other = Letter { body: b"{}".to_vec(), ..evidence.follow_ups[0].clone() };
        evidence.follow_ups.push(other);
    });
    found("is not what the ledger has kept", |_, evidence| evidence.follow_ups[0].body = b"{1}".to_vec());
    found("follows from nothing", |load, evidence| {
        evidence.follow_ups.push(letter(Uuid::now_v7(), &load.messages[0], None));
    });
}

#[test]
fn innocent_dead_letters_and_wrong_reasons_are_found() {
    found("and innocent", |load, evidence| {
        evidence.dead.push(letter(load.messages[0].id.0, &load.messages[0], Some("crash")));
    });
    found_in("expected unreadable", "dead", Outcome::DeadLetter, |_, evidence| {
        evidence.dead[0].failure_class = Some("defect".to_owned());
    });
    found_in("with another body", "dead", Outcome::DeadLetter, |_, evidence| {
        evidence.dead[0].body = b"[]".to_vec();
    });
}

#[test]
fn what_is_left_is_found() {
    found("2 messages are left in orders", |_, evidence| evidence.left.push(("orders".to_owned(), 2)));
    found("still a suspect", |load, evidence| evidence.suspects.push(load.messages[0].id.0));
    found("after attempt 2", |_, evidence| evidence.rows[0].attempts = 2);
}

#[test]
fn of_a_message_that_kills_again_and_again_one_is_given_up_and_no_more() {
    let (case, load) = (case(Deaths::UntilGivenUp, Outcome::Success), load("succeeded"));
    let mut evidence = evidence(&load);
    assert!(!examine(&case, &load, &evidence).is_empty(), "nothing was given up");
    for victim in 0..2 {
        let message = &load.messages[victim];
        evidence.rows[victim].status = "dead".to_owned();
        evidence.notes[victim].status = "dead".to_owned();
        evidence.effects.retain(|effect| effect.key != message.order.to_string());
        evidence.follow_ups.retain(|letter| letter.id != Some(message.follow_up_id().0));
        evidence.dead.push(letter(message.id.0, message, Some("crash")));
        evidence.suspects.push(message.id.0);
        let findings = examine(&case, &load, &evidence);
        assert_eq!(findings.is_empty(), victim == 0, "{findings:?}");
    }
}
