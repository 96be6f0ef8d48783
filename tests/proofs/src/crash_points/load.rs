//! The messages of a case, and what must become of them.

use millrace_broker::Outgoing;
use millrace_contracts::orders::{Place, Placed};
use millrace_contracts::payments::{Captured, Charge, Declined, Refund};
use millrace_contracts::users::Registered;
use millrace_contracts::{UserId, catalog, orders, payments};
use millrace_protocol::{
    ClientId, Contract, DelayQueue, DomainName, Envelope, Fingerprint, MessageId, Trace,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::commands;
use crate::crash_points::cases::{Case, MESSAGES, Outcome, Target};
use crate::crash_points::stack::Stack;

/// Whose jobs all of this is, where no API says it.
pub const CLIENT: &str = "crash-points";
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

/// A domain under test, and who subscribes to what it says.
#[derive(Debug, Clone, Copy)]
pub struct Handler {
    pub domain: DomainName,
    /// Whose queue takes what follows from its messages.
    pub subscriber: DomainName,
    /// Where a first retry waits.
    pub delay: DelayQueue,
    pub table: &'static str,
    /// The versions of a row that is there before the case begins.
    pub prepared: &'static [i64],
}

#[derive(Debug)]
pub struct Load {
    pub handler: Handler,
    /// Before the others, to bring the lane to where it is held up.
    pub openers: Vec<Message>,
    pub messages: Vec<Message>,
    /// As the ledger names it.
    pub status: &'static str,
    pub attempts: i32,
    /// The versions that a row of the table goes through.
    pub versions: &'static [i64],
    /// What the messages wait for, where they wait.
    pub news: Option<Message>,
}

impl Handler {
    pub fn of(target: Target) -> Self {
        match target {
            Target::Orders | Target::Api => Self {
                domain: orders::DOMAIN,
                subscriber: payments::DOMAIN,
                delay: DelayQueue::MS_200,
                table: "orders.orders",
                prepared: &[],
            },
            Target::Payments => Self {
                domain: payments::DOMAIN,
                subscriber: orders::DOMAIN,
                delay: DelayQueue::S_1,
                table: "payments.payments",
                prepared: &[1],
            },
        }
    }

    /// Its worker's program.
    pub fn program(self) -> String {
        format!("{}-worker", self.domain)
    }
}

impl Load {
    /// Messages with new ids, and the rows that they need.
    pub async fn prepare(stack: &Stack, case: &Case) -> Self {
        let handler = Handler::of(case.target);
        let (openers, messages, news) = match case.target {
            Target::Orders | Target::Api => orders_of(stack, case.outcome).await,
            Target::Payments => payments_of(stack, case.outcome).await,
        };
        let (status, attempts) = match (case.outcome, case.target) {
            (Outcome::Refusal, _) => ("refused", 1),
            (Outcome::DeadLetter, _) => ("dead", 1),
            (Outcome::Retry, Target::Orders) => ("succeeded", 2),
            // The flaky method works at the third attempt.
            (Outcome::Retry, _) => ("succeeded", 3),
            (Outcome::Success | Outcome::Duplicate | Outcome::Accepted, _) => ("succeeded", 1),
        };
        let versions: &[i64] = match (case.target, status) {
            (Target::Payments, "succeeded") => &[1, 2],
            // Unreadable ones have no payment.
            (Target::Payments, "refused") => &[1],
            (_, "succeeded") => &[1],
            _ => &[],
        };
        Self { handler, openers, messages, status, attempts, versions, news }
    }
}

async fn orders_of(stack: &Stack, outcome: Outcome) -> (Vec<Message>, Vec<Message>, Option<Message>) {
    let [customer, closed] = [UserId(Uuid::now_v7()), UserId(Uuid::now_v7())];
    stack.know_customer(closed, "deactivated").await;
    if outcome != Outcome::Retry {
        stack.know_customer(customer, "active").await;
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
    (openers, messages, (outcome == Outcome::Retry).then(|| registered(customer)))
}

async fn payments_of(stack: &Stack, outcome: Outcome) -> (Vec<Message>, Vec<Message>, Option<Message>) {
    let mut openers = Vec::new();
    for _ in 0..REFUSED_OPENERS {
        openers.push(refund(stack).await);
    }
    let mut messages = Vec::new();
    for number in 0..MESSAGES {
        messages.push(match (outcome, number % 2) {
            (Outcome::Refusal, _) => refund(stack).await,
            (Outcome::DeadLetter, _) => {
                message(Charge::TYPE, json!({"order_id": "none"}), Uuid::now_v7(), None)
            }
            (Outcome::Retry, _) => charge(stack, "pm_flaky", Captured::TYPE).await,
            (_, 0) => charge(stack, "pm_ok", Captured::TYPE).await,
            (_, _) => charge(stack, "pm_declined", Declined::TYPE).await,
        });
    }
    (openers, messages, None)
}

/// The news that the orders of somebody unknown wait for.
fn registered(user: UserId) -> Message {
    let body = json!({"user_id": user, "email": format!("{user}@example.com"), "name": "Ada Lovelace"});
    message(Registered::TYPE, body, user.0, None)
}

fn place(user: UserId, follow_up: Option<&'static str>) -> Message {
    let order = Uuid::now_v7();
    message(Place::TYPE, order_of(user, order), order, follow_up)
}

/// An order of 25.00 EUR.
pub fn order_of(user: UserId, order: Uuid) -> Value {
    let mut body = commands::order(user.0);
    body["order_id"] = json!(order);
    body
}

async fn charge(stack: &Stack, method: &str, follow_up: &'static str) -> Message {
    let order = Uuid::now_v7();
    stack.open_payment(order, method).await;
    message(Charge::TYPE, json!({"order_id": order, "payment_id": order}), order, Some(follow_up))
}

/// Of what is not paid yet, so it is refused.
async fn refund(stack: &Stack) -> Message {
    let order = Uuid::now_v7();
    stack.open_payment(order, "pm_ok").await;
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
    /// As the API would publish it; a copy is the same again.
    pub fn outgoing(&self) -> Outgoing {
        let envelope = Envelope {
            message_id: self.id,
            job_id: self.id.as_job(),
            causation_id: self.id,
            client_id: ClientId::parse(CLIENT).expect("a good name"),
            message_type: self.message_type.to_owned(),
            version: 1,
            attempt: 1,
            fingerprint: Fingerprint::of(self.body.as_bytes()),
            trace: Trace::default(),
        };
        let entry = catalog().find(self.message_type).expect("a message of the catalog");
        Outgoing::new(entry.route(), &envelope, self.body.clone().into_bytes())
    }
}
