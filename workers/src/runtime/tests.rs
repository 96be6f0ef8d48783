//! What becomes of each outcome, as one table, and which database errors mean what.

use std::collections::HashMap;
use std::time::Duration;

use lapin::message::Delivery;
use millrace_broker::Incoming;
use millrace_contracts::orders::Place;
use millrace_contracts::payments::Charge;
use millrace_contracts::{Contract, Domain as Name, Envelope};

use super::database::Trouble;
use super::emit;
use super::probation::Probation;
use super::settle::{Fault, Outcome, Place as Where, Settlement, Settling, give_up_foreign};
use super::suspects::{self, Company};
use crate::domain::{Change, Decision, No, Postpone, Refusal};
use crate::given::{NOW, envelope};
use crate::orders::Orders;

fn place() -> Where {
    Where { domain: Name::Orders, worker: "orders-worker@test 1.0.0".to_owned() }
}

fn incoming() -> Incoming {
    Incoming::from_delivery(Delivery::mock(
        1,
        "commands".into(),
        "orders.place".into(),
        false,
        b"{}".to_vec(),
    ))
}

fn settle(envelope: &Envelope, outcome: Outcome<Change<Orders>>) -> Settlement {
    let (place, incoming) = (place(), incoming());
    Settling { place: &place, incoming: &incoming, envelope, received_at: NOW, now: NOW }
        .settle::<Orders>(outcome)
        .0
}

fn told(settlement: &Settlement) -> String {
    let entry = settlement.entry.as_ref();
    let ledger = entry.map_or("no row".to_owned(), |entry| format!("{:?}", entry.status).to_lowercase());
    let published: Vec<_> = settlement
        .publish
        .iter()
        .map(|message| format!("{} with key {}", message.exchange(), message.routing_key()))
        .collect();
    let published = if published.is_empty() { "nothing".to_owned() } else { published.join(", ") };
    let alert = settlement.alert.as_ref().map_or("", |_| "; alert");
    let problem = entry.and_then(|entry| entry.problem.clone()).unwrap_or_default();
    format!("ledger {ledger}; publish {published}{alert}  {problem}")
}

#[test]
fn every_outcome_is_settled() {
    let decided = || {
        let placed = millrace_contracts::orders::Placed::example();
        Outcome::Decided(Decision::new(serde_json::json!({})).publish(&placed))
    };
    let seen = || {
        let drafts = Decision::<()>::new(serde_json::json!({})).publish(&Place::example()).outgoing;
        Outcome::Seen(emit::with_ids(envelope::<Place>(1).message_id, drafts))
    };
    let refusal = || Refusal::new("order-exists", "There is already such an order.");
    let effect = |retry_after| Outcome::Failed(Fault::Effect { reason: "no answer".to_owned(), retry_after });
    type Case = (&'static str, Box<dyn Fn() -> Outcome<Change<Orders>>>);
    let cases: Vec<Case> = vec![
        ("decided", Box::new(decided)),
        ("refused", Box::new(move || Outcome::Declined(No::Refusal(refusal())))),
        ("postponed", Box::new(|| Outcome::Declined(No::Postpone(Postpone::until("news"))))),
        (
            "postponed, then refused",
            Box::new(move || Outcome::Declined(No::Postpone(Postpone::then_refuse("news", refusal())))),
        ),
        ("effect failed", Box::new(move || effect(None))),
        ("effect asks for 40 s", Box::new(move || effect(Some(Duration::from_secs(40))))),
        ("defect", Box::new(|| Outcome::Failed(Fault::Defect("the rule panicked: ouch".to_owned())))),
        ("crashed", Box::new(|| Outcome::Failed(Fault::Crash { crashes: 3 }))),
        ("unreadable", Box::new(|| Outcome::Failed(Fault::Unreadable("no JSON".to_owned())))),
        ("seen before", Box::new(seen)),
        ("twin", Box::new(|| Outcome::Twin)),
    ];
    let mut table = String::new();
    for (name, outcome) in &cases {
        for attempt in [1, 3, 6] {
            let envelope = Envelope { attempt, ..envelope::<Place>(1) };
            let settlement = settle(&envelope, outcome());
            table.push_str(&format!("{name:<24} attempt {attempt} -> {}\n", told(&settlement)));
        }
    }
    let foreign = give_up_foreign(&place(), &incoming(), "no message_id", NOW);
    table.push_str(&format!("{:<24} attempt 1 -> {}\n", "no envelope", told(&foreign)));
    let patient = Envelope { attempt: 6, ..envelope::<Charge>(1) };
    table.push_str(&format!(
        "{:<24} attempt 6 -> {}\n",
        "patient, effect failed",
        told(&settle(&patient, effect(None)))
    ));
    insta::assert_snapshot!(table);
}

#[test]
fn what_is_published_again_is_the_same_to_the_byte() {
    let handled = envelope::<Place>(1);
    let drafts = || Decision::<()>::new(serde_json::json!({})).publish(&Place::example()).outgoing;
    let first = emit::with_ids(handled.message_id, drafts());
    let stored = emit::to_json(&first);
    let again: Vec<millrace_contracts::ledger::FollowUp> = serde_json::from_str(&stored).unwrap();
    assert_eq!(emit::to_json(&again), stored);
    assert_eq!(again[0].body.get(), serde_json::to_string(&Place::example()).unwrap());
    assert_ne!(first[0].id, handled.message_id);
}

#[test]
fn a_database_that_is_not_there_is_an_outage_and_a_stored_value_that_is_odd_is_not() {
    let gone = sqlx::Error::Io(std::io::Error::other("connection reset"));
    assert!(matches!(Trouble::of(&gone), Trouble::Outage(_)));
    assert!(matches!(Trouble::of(&sqlx::Error::PoolTimedOut), Trouble::Outage(_)));
    let odd = sqlx::Error::Decode("a stored value can't be read: x".into());
    assert!(matches!(Trouble::of(&odd), Trouble::Culprit(_)));
}

/// The message with this number, which came back so often.
fn returned(number: u64, returns: u64) -> Incoming {
    let mut incoming = incoming();
    incoming.envelope = Ok(envelope::<Place>(number.into()));
    incoming.delivery_count = returns;
    incoming
}

fn sizes(companies: &[Company]) -> Vec<usize> {
    companies.iter().map(|company| company.deliveries.len()).collect()
}

#[test]
fn what_was_at_work_when_the_process_died_is_worked_in_smaller_company() {
    let unended = [0, 0, 1, 1, 1, 1, 1, 2, 3, 0, 5];
    let deliveries: Vec<Incoming> = (1..=11).map(|number| returned(number, 9)).collect();
    let ids = deliveries.iter().map(|delivery| delivery.envelope.as_ref().unwrap().message_id.0);
    let runs = ids.zip(unended).filter(|(_, runs)| *runs > 0).collect();
    let companies = suspects::apart(deliveries, &runs);
    assert_eq!(sizes(&companies), [2, 4, 1, 1, 1, 1, 1]);
    let crashes: Vec<u32> = companies.iter().map(|company| company.crashes).collect();
    assert_eq!(crashes, [0, 0, 0, 0, 1, 0, 3]);
}

#[test]
fn what_only_came_back_is_worked_in_company_however_often_and_what_did_not_is_not_cut() {
    let nobody = HashMap::new();
    let back = (1..=70).map(|number| returned(number, 1 + number % 12)).collect();
    assert_eq!(sizes(&suspects::apart(back, &nobody)), [32, 32, 6]);
    let mixed = (1..=70).map(|number| returned(number, u64::from(number > 60))).collect();
    assert_eq!(sizes(&suspects::apart(mixed, &nobody)), [60, 10]);
    assert!(suspects::apart(Vec::new(), &nobody).is_empty());
}

#[tokio::test]
async fn one_lane_at_a_time_is_on_probation_with_a_window_that_grows_until_it_is_passed() {
    let probation = Probation::new(512);
    let turn = probation.enter().await.expect("nobody has passed");
    assert!(futures_util::FutureExt::now_or_never(probation.enter()).is_none(), "the others wait");
    assert_eq!(turn.window(), 1);
    turn.widen();
    let turn = probation.enter().await.expect("worn messages are not fresh ones");
    assert_eq!(turn.window(), 2);
    turn.pass();
    assert!(probation.enter().await.is_none(), "all may work");
    probation.begin_again();
    assert_eq!(probation.enter().await.map(|turn| turn.window()), Some(1));
}

#[tokio::test]
async fn a_window_that_would_be_as_wide_as_the_prefetch_ends_probation() {
    let probation = Probation::new(512);
    let mut windows = Vec::new();
    while let Some(turn) = probation.enter().await {
        windows.push(turn.window());
        turn.widen();
    }
    assert_eq!(windows, [1, 2, 4, 8, 16, 32, 64, 128, 256]);
}
