//! Evidence of a run in which all went well: a user registered, an order placed and paid, one message poisoned.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use millrace_contracts::{auth, orders, payments, users};
use millrace_protocol::{DomainName, MessageId};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::{Uuid, uuid};

use crate::evidence::{Digest, Effect, Entry, Evidence, Letter, Note, Order, Payment, Queue, Sent, Session};
use crate::history::{Answer, History, Poison, Submit, UNREADABLE};

const REGISTRATION: Uuid = uuid!("01980000-0000-7000-8000-000000000001");
const USER: Uuid = uuid!("01980000-0000-7000-8000-0000000000a1");
pub const JOB: Uuid = uuid!("01980000-0000-7000-8000-000000000002");
pub const ORDER: Uuid = uuid!("01980000-0000-7000-8000-0000000000b2");
const POISON: &str = "01980000-0000-7000-8000-0000000000dd";
/// What follows from the order, one after the other.
pub static PLACED: LazyLock<Uuid> = LazyLock::new(|| MessageId(JOB).derive(0).0);
pub static CHARGE: LazyLock<Uuid> = LazyLock::new(|| MessageId(*PLACED).derive(0).0);
pub static CAPTURED: LazyLock<Uuid> = LazyLock::new(|| MessageId(*CHARGE).derive(0).0);

/// All is well.
pub fn good() -> Evidence {
    let mut evidence = Evidence {
        client: "dev".to_owned(),
        history: history(),
        queues: ["orders", "payments"].map(empty).to_vec(),
        letters: vec![Letter {
            queue: "orders.dead".to_owned(),
            message_id: POISON.to_owned(),
            message_type: "orders.cancel".to_owned(),
            job_id: POISON.to_owned(),
            body: Digest::of(b"{nonsense"),
            class: "unreadable".to_owned(),
            reason: "not JSON".to_owned(),
            attempt: 1,
        }],
        sessions: vec![Session {
            application: "orders-worker".to_owned(),
            state: "idle".to_owned(),
            idle_s: 9.0,
        }],
        orders: vec![Order {
            order_id: ORDER,
            currency: "EUR".to_owned(),
            total_minor: 500,
            status: "confirmed".to_owned(),
            payment: "paid".to_owned(),
        }],
        payments: vec![Payment {
            order_id: ORDER,
            currency: "EUR".to_owned(),
            amount_minor: 500,
            payment_method: "pm_ok".to_owned(),
            status: "captured".to_owned(),
        }],
        ..Evidence::default()
    };
    let registered = MessageId(REGISTRATION).derive(0).0;
    handled(
        &mut evidence,
        (REGISTRATION, REGISTRATION),
        users::DOMAIN,
        "users.register",
        Some("users.registered"),
    );
    effect(&mut evidence, "users.users", USER, 1, [None, Some("active")]);
    handled(&mut evidence, (registered, REGISTRATION), auth::DOMAIN, "users.registered", None);
    effect(&mut evidence, "auth.accounts", USER, 1, [None, Some("active")]);
    handled(&mut evidence, (registered, REGISTRATION), orders::DOMAIN, "users.registered", None);
    effect(&mut evidence, "orders.customers", USER, 1, [None, Some("active")]);
    handled(&mut evidence, (JOB, JOB), orders::DOMAIN, "orders.place", Some("orders.placed"));
    effect(&mut evidence, "orders.orders", ORDER, 1, [None, Some("placed pending")]);
    handled(&mut evidence, (*PLACED, JOB), payments::DOMAIN, "orders.placed", Some("payments.charge"));
    effect(&mut evidence, "payments.payments", ORDER, 1, [None, Some("pending")]);
    handled(
        &mut evidence,
        (*CHARGE, *PLACED),
        payments::DOMAIN,
        "payments.charge",
        Some("payments.captured"),
    );
    effect(&mut evidence, "payments.payments", ORDER, 2, [Some("pending"), Some("captured")]);
    handled(
        &mut evidence,
        (*CAPTURED, *CHARGE),
        orders::DOMAIN,
        "payments.captured",
        Some("orders.confirmed"),
    );
    effect(&mut evidence, "orders.orders", ORDER, 2, [Some("placed pending"), Some("confirmed paid")]);
    // These domains and no other: what is expected of them stays as it is when a new one subscribes to their events.
    let handlers: BTreeSet<DomainName> = evidence.ledger.iter().map(|entry| entry.handler).collect();
    evidence.domains = handlers.into_iter().collect();
    evidence
}

fn empty(queue: &str) -> Queue {
    Queue { name: queue.to_owned(), ready: 0, unacked: 0 }
}

/// Only the worker of orders took part: what it sent to payments lies in their queue.
pub fn cut_off_after_orders(evidence: &mut Evidence) {
    evidence.domains.retain(|domain| *domain != payments::DOMAIN);
    let beyond = [*PLACED, *CHARGE, *CAPTURED];
    evidence.ledger.retain(|entry| !beyond.contains(&entry.message_id));
    evidence.waiting.push(Letter {
        queue: "payments".to_owned(),
        message_id: PLACED.to_string(),
        message_type: "orders.placed".to_owned(),
        job_id: JOB.to_string(),
        body: Digest::of(b"body"),
        class: String::new(),
        reason: String::new(),
        attempt: 1,
    });
}

/// The message was tried in vain before it was done.
pub fn retried(evidence: &mut Evidence, message: Uuid, problem: &'static str) {
    let done =
        evidence.notes.iter().find(|note| note.message_id == message).cloned().expect("it was handled");
    evidence.notes.push(Note { status: "retrying", problem: Some(problem), ..done });
}

fn history() -> History {
    let submit = |number, command: &str, body: Value, job| Submit {
        number,
        command: command.to_owned(),
        body,
        fingerprint: Some(format!("{number:032}")),
        invoked_at: moment(0),
        answered_at: Some(moment(1)),
        took: Some(std::time::Duration::from_millis(5)),
        answer: Answer::Accepted(job),
    };
    let order = json!({
        "order_id": ORDER,
        "user_id": USER,
        "currency": "EUR",
        "lines": [{"sku": "A", "quantity": 2, "unit_price_minor": 250}],
        "payment_method": "pm_ok",
    });
    let poison = Poison {
        message_id: POISON.to_owned(),
        queue: "orders".to_owned(),
        kind: "not-json".to_owned(),
        confirmed: true,
        class: UNREADABLE.to_owned(),
        body: None,
    };
    History {
        submits: vec![
            submit(1, "users.register", json!({"user_id": USER}), REGISTRATION),
            submit(2, "orders.place", order, JOB),
        ],
        copies: Vec::new(),
        poison: vec![poison],
    }
}

fn moment(second: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::seconds(second)
}

/// The next message is handled, in a transaction of its own.
pub fn handled(
    evidence: &mut Evidence,
    (message_id, causation_id): (Uuid, Uuid),
    handler: DomainName,
    message_type: &'static str,
    sends: Option<&'static str>,
) {
    let number = i64::try_from(evidence.notes.len()).expect("few") + 1;
    let job = [REGISTRATION, JOB][usize::from(causation_id != REGISTRATION)];
    let body = Digest::of(b"body");
    let sent = Sent { id: MessageId(message_id).derive(0).0, message_type: sends.unwrap_or_default(), body };
    evidence.notes.push(Note {
        handler: handler.as_str(),
        message_id,
        message_type,
        status: "succeeded",
        attempts: 1,
        problem: None,
        emitted_md5: Some("md5".to_owned()),
        txid: number,
        noted_at: moment(number),
    });
    evidence.ledger.push(Entry {
        handler,
        message_id,
        job_id: job,
        causation_id,
        client_id: "dev",
        message_type,
        status: "succeeded",
        attempts: 1,
        fingerprint: format!("{:032}", if job == JOB { 2 } else { 1 }),
        subject: Some(if job == JOB { ORDER } else { USER }),
        problem: None,
        emitted: sends.map(|_| sent).into_iter().collect(),
    });
}

/// What the message that was handled last did to a row.
pub fn effect(
    evidence: &mut Evidence,
    place: &'static str,
    key: Uuid,
    version: i64,
    [old_state, new_state]: [Option<&'static str>; 2],
) {
    let last = evidence.notes.last().expect("a message was handled");
    let (txid, noted_at) = (last.txid, last.noted_at);
    evidence.effects.push(Effect {
        operation: if version == 1 { "INSERT" } else { "UPDATE" },
        place,
        key: key.to_string(),
        old_version: Some(version - 1).filter(|version| *version > 0),
        new_version: Some(version),
        old_state,
        new_state,
        txid,
        noted_at,
    });
}
