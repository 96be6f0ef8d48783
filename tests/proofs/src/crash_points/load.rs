//! The messages of a case, and what must become of them.

use millrace_broker::Outgoing;
use millrace_contracts::orders::{Place, Placed};
use millrace_contracts::payments::{Captured, Charge, Declined, Refund};
use millrace_contracts::users::Registered;
use millrace_contracts::{
    ClientId, Contract, DelayQueue, Envelope, Fingerprint, MessageId, Trace, UserId, catalog,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::crash_points::arena::Arena;
use crate::crash_points::cases::{Case, MESSAGES, Mortal, Outcome};

const REFUSED_OPENERS: usize = 2;

/// A message that is sent in.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: MessageId,
    pub message_type: &'static str,
    pub body: String,
    /// The key of the domain's row.
    pub order: Uuid,
    /// The type of what follows from it, if anything does.
    pub follow_up: Option<&'static str>,
}

/// A domain under test, and who hears what it says.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    pub handler: &'static str,
    pub program: &'static str,
    pub hearer: &'static str,
    /// Where a first retry waits.
    pub rung: DelayQueue,
    /// The domain's row.
    pub place: &'static str,
}

/// All of a case.
#[derive(Debug)]
pub struct Load {
    pub stage: Stage,
    /// Before the others, to bring the lane to where it is held up.
    pub openers: Vec<Message>,
    pub messages: Vec<Message>,
    /// As the ledger names it.
    pub status: &'static str,
    pub attempts: i32,
    /// The versions that a domain's row goes through.
    pub versions: &'static [i64],
    /// Whom the messages wait for, where they do.
    pub awaited: Option<UserId>,
}

impl Stage {
    pub fn of(mortal: Mortal) -> Self {
        match mortal {
            Mortal::Orders | Mortal::Door => Self {
                handler: "orders",
                program: "orders-worker",
                hearer: "payments",
                rung: DelayQueue::MS_200,
                place: "orders.orders",
            },
            Mortal::Payments => Self {
                handler: "payments",
                program: "payments-worker",
                hearer: "orders",
                rung: DelayQueue::S_1,
                place: "payments.payments",
            },
        }
    }
}

impl Load {
    /// Messages with new ids, and the rows that they need.
    pub async fn prepare(arena: &Arena, case: &Case) -> Self {
        let stage = Stage::of(case.mortal);
        let (openers, messages, awaited) = match case.mortal {
            Mortal::Orders | Mortal::Door => orders(arena, case.outcome).await,
            Mortal::Payments => payments(arena, case.outcome).await,
        };
        let (status, attempts) = match (case.outcome, case.mortal) {
            (Outcome::Refusal, _) => ("refused", 1),
            (Outcome::DeadLetter, _) => ("dead", 1),
            (Outcome::Retry, Mortal::Orders) => ("succeeded", 2),
            // The flaky method works at the third attempt.
            (Outcome::Retry, _) => ("succeeded", 3),
            (Outcome::Success | Outcome::Duplicate | Outcome::Accepted, _) => ("succeeded", 1),
        };
        let versions: &[i64] = match (case.mortal, status) {
            (Mortal::Payments, "succeeded") => &[1, 2],
            // Unreadable ones have no payment.
            (Mortal::Payments, "refused") => &[1],
            (_, "succeeded") => &[1],
            _ => &[],
        };
        Self { stage, openers, messages, status, attempts, versions, awaited }
    }

    /// The news that those are waiting for.
    pub fn news(user: UserId) -> Outgoing {
        let body = json!({"user_id": user, "email": format!("{user}@example.com"), "name": "Ada Lovelace"});
        message(Registered::TYPE, body, user.0, None).outgoing()
    }
}

async fn orders(arena: &Arena, outcome: Outcome) -> (Vec<Message>, Vec<Message>, Option<UserId>) {
    let [customer, closed] = [UserId(Uuid::now_v7()), UserId(Uuid::now_v7())];
    arena.know_customer(closed, "deactivated").await;
    if outcome != Outcome::Retry {
        arena.know_customer(customer, "active").await;
    }
    let openers = (0..REFUSED_OPENERS).map(|_| place(closed, None)).collect();
    let messages = (0..MESSAGES).map(|_| match outcome {
        Outcome::Refusal => place(closed, None),
        Outcome::DeadLetter => message(Place::TYPE, json!({"user_id": "nobody"}), Uuid::now_v7(), None),
        Outcome::Success | Outcome::Retry | Outcome::Duplicate | Outcome::Accepted => {
            place(customer, Some(Placed::TYPE))
        }
    });
    let messages = messages.collect();
    (openers, messages, (outcome == Outcome::Retry).then_some(customer))
}

async fn payments(arena: &Arena, outcome: Outcome) -> (Vec<Message>, Vec<Message>, Option<UserId>) {
    let mut openers = Vec::new();
    for _ in 0..REFUSED_OPENERS {
        openers.push(refund(arena).await);
    }
    let mut messages = Vec::new();
    for number in 0..MESSAGES {
        messages.push(match (outcome, number % 2) {
            (Outcome::Refusal, _) => refund(arena).await,
            (Outcome::DeadLetter, _) => {
                message(Charge::TYPE, json!({"order_id": "none"}), Uuid::now_v7(), None)
            }
            (Outcome::Retry, _) => charge(arena, "pm_flaky", Captured::TYPE).await,
            (_, 0) => charge(arena, "pm_ok", Captured::TYPE).await,
            (_, _) => charge(arena, "pm_declined", Declined::TYPE).await,
        });
    }
    (openers, messages, None)
}

fn place(user: UserId, follow_up: Option<&'static str>) -> Message {
    let order = Uuid::now_v7();
    message(Place::TYPE, order_of(user, order), order, follow_up)
}

/// An order of 25.00 EUR.
pub fn order_of(user: UserId, order: Uuid) -> Value {
    json!({
        "order_id": order,
        "user_id": user,
        "currency": "EUR",
        "lines": [{"sku": "TEA-EARL-GREY-250", "quantity": 2, "unit_price_minor": 1250}],
        "payment_method": "pm_ok",
    })
}

async fn charge(arena: &Arena, method: &str, follow_up: &'static str) -> Message {
    let order = Uuid::now_v7();
    arena.open_payment(order, method).await;
    message(Charge::TYPE, json!({"order_id": order, "payment_id": order}), order, Some(follow_up))
}

/// Of what is not paid yet, so it is refused.
async fn refund(arena: &Arena) -> Message {
    let order = Uuid::now_v7();
    arena.open_payment(order, "pm_ok").await;
    message(Refund::TYPE, json!({"order_id": order}), order, None)
}

/// A message with a new id.
pub fn message(
    message_type: &'static str,
    body: Value,
    order: Uuid,
    follow_up: Option<&'static str>,
) -> Message {
    Message { id: MessageId(Uuid::now_v7()), message_type, body: body.to_string(), order, follow_up }
}

impl Message {
    /// As the door would publish it; a copy is the same again.
    pub fn outgoing(&self) -> Outgoing {
        let envelope = Envelope {
            message_id: self.id,
            job_id: self.id.as_job(),
            causation_id: self.id,
            client_id: ClientId::parse("crash-points").expect("a good name"),
            message_type: self.message_type.to_owned(),
            version: 1,
            attempt: 1,
            fingerprint: Fingerprint::of(self.body.as_bytes()),
            trace: Trace::default(),
        };
        let entry = catalog().find(self.message_type).expect("a message of the catalog");
        Outgoing::new(entry.route(), &envelope, self.body.clone().into_bytes())
    }

    /// The id of what follows from it.
    pub fn follow_up_id(&self) -> MessageId {
        self.id.derive(0)
    }
}
