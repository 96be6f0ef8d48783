//! Orders, given / when / then: single rules, the matrix of every state and message, and "a batch equals one by one".

use millrace_contracts::orders::{Cancel, Cancelled, Confirmed, Place, Placed};
use millrace_contracts::payments::{Captured, Declined, Refunded};
use millrace_contracts::users::{Deactivated, Registered};
use millrace_contracts::{Contract, OrderId, UserId};
use proptest::prelude::*;
use uuid::Uuid;

use super::Orders;
use super::rules::{Customer, Facts, Message, Order, Payment, Status};
use crate::given::{Remember, Verdict, World, arrives, keep_rows, recall_rows};

impl Remember for Facts {
    fn recall(&mut self, world: &Self) {
        recall_rows(&mut self.customers, &world.customers);
        recall_rows(&mut self.orders, &world.orders);
    }
    fn keep(&self, world: &mut Self) {
        keep_rows(&self.customers, &mut world.customers);
        keep_rows(&self.orders, &mut world.orders);
    }
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn order(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

/// Every message that orders hears, about one user and one order.
fn messages(user_id: UserId, order_id: OrderId) -> Vec<(&'static str, Message)> {
    fn message<T: Contract>(message: &T) -> (&'static str, Message) {
        (T::TYPE, arrives::<Orders, T>(1, message))
    }
    vec![
        message(&Place { order_id: Some(order_id), user_id, ..Place::example() }),
        message(&Cancel { order_id }),
        message(&Registered { user_id, ..Registered::example() }),
        message(&Deactivated { user_id }),
        message(&Captured { order_id, ..Captured::example() }),
        message(&Declined { order_id, ..Declined::example() }),
        message(&Refunded { order_id, ..Refunded::example() }),
    ]
}

fn place(user_id: UserId, order_id: OrderId) -> Message {
    messages(user_id, order_id).remove(0).1
}

fn world(customer: Option<Customer>, order_state: Option<(Status, Payment)>) -> World<Orders> {
    let mut world = World::<Orders>::default();
    if let Some(customer) = customer {
        world.facts.customers.fill(user(1), customer, 1);
    }
    if let Some((status, payment)) = order_state {
        let example = Place::example();
        let total = example.total().unwrap();
        let order_row = Order { user_id: user(1), total, lines: example.lines, status, payment };
        world.facts.orders.fill(order(1), order_row, 1);
    }
    world
}

fn published(verdict: &Verdict) -> Vec<&'static str> {
    verdict.as_ref().map_or_else(|_| Vec::new(), |(_, outgoing)| outgoing.iter().map(|(kind, _)| *kind).collect())
}

#[test]
fn an_order_of_a_known_customer_is_placed() {
    let mut world = world(Some(Customer::Active), None);
    let verdict = world.when(place(user(1), order(1)));
    assert_eq!(published(&verdict), [Placed::TYPE]);
    assert_eq!(world.facts.orders.get(&order(1)).unwrap().status, Status::Placed);
}

#[test]
fn an_order_without_an_id_takes_the_id_of_its_job() {
    let mut world = world(Some(Customer::Active), None);
    let unnamed = Place { order_id: None, user_id: user(1), ..Place::example() };
    world.when(arrives::<Orders, _>(7, &unnamed)).unwrap();
    let job = crate::given::envelope::<Place>(7).job_id;
    assert!(world.facts.orders.get(&OrderId(job.0)).is_some());
}

#[test]
fn an_order_of_an_unknown_customer_waits_and_is_then_refused() {
    let verdict = world(None, None).when(place(user(1), order(1)));
    assert_eq!(verdict.unwrap_err().to_string(), "postpone, finally refuse customer-unknown");
}

#[test]
fn a_captured_payment_confirms_the_order_once() {
    let mut world = world(Some(Customer::Active), Some((Status::Placed, Payment::Pending)));
    let captured = || arrives::<Orders, _>(1, &Captured { order_id: order(1), ..Captured::example() });
    assert_eq!(published(&world.when(captured())), [Confirmed::TYPE]);
    assert_eq!(published(&world.when(captured())), [""; 0]);
}

#[test]
fn an_order_called_off_while_it_is_paid_stays_cancelled_and_knows_of_the_money() {
    let mut world = world(Some(Customer::Active), Some((Status::Placed, Payment::Pending)));
    let cancel = arrives::<Orders, _>(1, &Cancel { order_id: order(1) });
    assert_eq!(published(&world.when(cancel)), [Cancelled::TYPE]);
    let captured = arrives::<Orders, _>(2, &Captured { order_id: order(1), ..Captured::example() });
    assert_eq!(published(&world.when(captured)), [""; 0]);
    let row = world.facts.orders.get(&order(1)).unwrap();
    assert_eq!((row.status, row.payment), (Status::Cancelled, Payment::Paid));
}

/// The specification: every state, every message, what becomes of it.
#[test]
fn matrix() {
    let customers = [None, Some(Customer::Active), Some(Customer::Deactivated)];
    let statuses = [Status::Placed, Status::Confirmed, Status::Cancelled];
    let payments = [Payment::Pending, Payment::Paid, Payment::Declined, Payment::Refunded];
    let states = statuses.into_iter().flat_map(|status| payments.map(|payment| Some((status, payment))));
    let orders: Vec<_> = std::iter::once(None).chain(states).collect();
    let mut lines = Vec::new();
    for (position, (name, _)) in messages(user(1), order(1)).into_iter().enumerate() {
        for customer in customers {
            for before in &orders {
                let mut world = world(customer, *before);
                let verdict = world.when(messages(user(1), order(1)).remove(position).1);
                let line = describe(&world, &verdict, before.is_some());
                lines.push((name, customer, *before, line));
            }
        }
    }
    insta::assert_snapshot!(render(&lines));
}

type Line = (&'static str, Option<Customer>, Option<(Status, Payment)>, String);

/// Rows that don't depend on the customer are printed once.
fn render(lines: &[Line]) -> String {
    let mut text = String::new();
    for (position, (name, customer, before, outcome)) in lines.iter().enumerate() {
        let same = |other: &&Line| other.0 == *name && other.2 == *before;
        let any_customer = lines.iter().filter(same).all(|other| other.3 == *outcome);
        if any_customer && lines[..position].iter().any(|other| same(&other)) {
            continue;
        }
        let customer = match customer {
            _ if any_customer => "any customer".to_owned(),
            None => "unknown customer".to_owned(),
            Some(customer) => format!("{customer:?} customer").to_lowercase(),
        };
        let before = before.map_or("no order".to_owned(), |(status, payment)| format!("{status:?}, {payment:?}"));
        text.push_str(&format!(
            "{name:<19} | {customer:<20} | {:<20} -> {outcome}\n",
            before.to_lowercase()
        ));
    }
    text
}

fn describe(world: &World<Orders>, verdict: &Verdict, existed: bool) -> String {
    let outgoing = match verdict {
        Err(no) => return no.to_string(),
        Ok((_, outgoing)) if outgoing.is_empty() => String::new(),
        Ok((_, outgoing)) => outgoing
            .iter()
            .map(|(name, body)| {
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                body["reason"].as_str().map_or(format!(" + {name}"), |reason| format!(" + {name} ({reason})"))
            })
            .collect(),
    };
    let known = |exists: bool| exists.then_some(());
    let order_row = known(existed || world.facts.orders.keys().count() > 0)
        .and_then(|()| world.facts.orders.get(&order(1)));
    let customer =
        known(world.facts.customers.keys().count() > 0).and_then(|()| world.facts.customers.get(&user(1)));
    let order_row = order_row.map_or("no order".to_owned(), |row| format!("{:?}, {:?}", row.status, row.payment));
    let customer = customer.map_or("unknown".to_owned(), |customer| format!("{customer:?}"));
    format!("{} (customer {}){outgoing}", order_row.to_lowercase(), customer.to_lowercase())
}

fn any_message() -> impl Strategy<Value = (usize, u128, u128)> {
    (0..7usize, 1..4u128, 1..4u128)
}

proptest! {
    /// Loading, deciding and saving a batch at once is the same as message by message, wherever it is cut.
    #[test]
    fn a_batch_equals_one_by_one(
        picks in proptest::collection::vec(any_message(), 1..40),
        cuts in proptest::collection::vec(1..9usize, 40),
    ) {
        let pick = |(kind, user_number, order_number): (usize, u128, u128)| {
            messages(user(user_number), order(order_number)).remove(kind).1
        };
        let (mut batched, mut single) = (World::<Orders>::default(), World::<Orders>::default());
        let (mut batched_verdicts, mut rest) = (Vec::new(), &picks[..]);
        for cut in cuts {
            let (batch, later) = rest.split_at(cut.min(rest.len()));
            let batch: Vec<_> = batch.iter().map(|choice| (pick(*choice), None)).collect();
            batched_verdicts.extend(batched.handle(&batch));
            rest = later;
        }
        let rest: Vec<_> = rest.iter().map(|choice| (pick(*choice), None)).collect();
        batched_verdicts.extend(batched.handle(&rest));
        let single_verdicts: Vec<_> = picks.iter().map(|choice| single.when(pick(*choice))).collect();
        prop_assert_eq!(batched_verdicts, single_verdicts);
        prop_assert_eq!(rows(&batched), rows(&single));
    }
}

fn rows(world: &World<Orders>) -> (Vec<(UserId, Customer)>, Vec<(OrderId, Order)>) {
    let customers = world.facts.customers.keys().filter_map(|key| Some((*key, *world.facts.customers.get(key)?)));
    let orders = world.facts.orders.keys().filter_map(|key| Some((*key, world.facts.orders.get(key)?.clone())));
    (customers.collect(), orders.collect())
}
