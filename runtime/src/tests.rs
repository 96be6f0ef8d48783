//! What becomes of each outcome, as one table, and which database errors mean what.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use lapin::message::Delivery;
use millrace_broker::Incoming;
use millrace_protocol::{
    About, Catalog, ClientId, Contract, Domain as Listed, DomainName, Envelope, Fingerprint, Kind,
    RetrySchedule, Unreadable,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use crate::database::DbError;
use crate::domain::{Context, Decision, Domain, Facts, Postpone, Refusal, Rejection};
use crate::effects::NoEffects;
use crate::emit;
use crate::isolation::{self, IsolationBatch};
use crate::rows::DeletableRows;
use crate::session::Handler;
use crate::settle::{Fault, Outcome, Settlement, Settling, give_up_undecodable};
use crate::slow_start::{Redelivery, SlowStart};

const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
const PARCELS: DomainName = DomainName::new("parcels");

/// A command that only this system's own parts can delay.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Send {
    number: u32,
}

impl Contract for Send {
    const TYPE: &'static str = "parcels.send";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { number: 7 }
    }
}

/// A command that calls an outside system.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Locate {}

impl Contract for Locate {
    const TYPE: &'static str = "parcels.locate";
    const KIND: Kind = Kind::Command;
    const RETRY: RetrySchedule = RetrySchedule::PATIENT;
    fn example() -> Self {
        Self {}
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Sent {}

impl Contract for Sent {
    const TYPE: &'static str = "parcels.sent";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self {}
    }
}

struct Parcels;

#[derive(Default)]
struct NoFacts;

impl Facts for NoFacts {
    type Change = ();
    fn apply(&mut self, (): ()) {}
}

impl Domain for Parcels {
    const NAME: DomainName = PARCELS;
    type Message = ();
    type Facts = NoFacts;
    type Effects = NoEffects;

    fn read(_: &Envelope, _: &[u8]) -> Result<(), Unreadable> {
        Ok(())
    }
    fn declare((): &(), _: &mut NoFacts) {}
    fn decide(_: &NoFacts, (): &(), _: &Context<'_>) -> Result<Decision<()>, Rejection> {
        Ok(Decision::new(serde_json::json!({})))
    }
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let about = About { title: "Parcels", version: "1.0.0", description: "" };
    let parcels = Listed::new(PARCELS).message::<Send>().message::<Locate>().message::<Sent>();
    Catalog::new(about, [parcels])
});

fn handler() -> Handler {
    Handler { domain: PARCELS, worker: "parcels-worker@test 1.0.0".to_owned(), catalog: &CATALOG }
}

fn envelope<T: Contract>(number: u128) -> Envelope {
    let job_id = millrace_protocol::JobId(Uuid::from_u128(number));
    let client = ClientId::parse("shop").unwrap();
    Envelope::first::<T>(job_id, client, Fingerprint::of(b""))
}

fn incoming() -> Incoming {
    Incoming::from_delivery(Delivery::mock(
        1,
        "commands".into(),
        "parcels.send".into(),
        false,
        b"{}".to_vec(),
    ))
}

fn settle(envelope: &Envelope, outcome: Outcome<()>) -> Settlement {
    let (handler, incoming) = (handler(), incoming());
    Settling { handler: &handler, incoming: &incoming, envelope, received_at: NOW, now: NOW }
        .settle::<Parcels>(outcome)
        .0
}

fn shown(settlement: &Settlement) -> String {
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
    let decided = || Outcome::Decided(Decision::new(serde_json::json!({})).publish(&Sent::example()));
    let handled_before = || {
        let drafts = Decision::<()>::new(serde_json::json!({})).publish(&Send::example()).outgoing;
        Outcome::AlreadyHandled(emit::with_ids(envelope::<Send>(1).message_id, drafts))
    };
    let refusal = || Refusal::new("parcel-exists", "There is already such a parcel.");
    let effect = |retry_after| Outcome::Failed(Fault::Effect { reason: "no answer".to_owned(), retry_after });
    type Case = (&'static str, Box<dyn Fn() -> Outcome<()>>);
    let cases: Vec<Case> = vec![
        ("decided", Box::new(decided)),
        ("refused", Box::new(move || Outcome::Rejected(Rejection::Refusal(refusal())))),
        ("postponed", Box::new(|| Outcome::Rejected(Rejection::Postpone(Postpone::until("news"))))),
        (
            "postponed, then refused",
            Box::new(move || {
                Outcome::Rejected(Rejection::Postpone(Postpone::then_refuse("news", refusal())))
            }),
        ),
        ("effect failed", Box::new(move || effect(None))),
        ("effect asks for 40 s", Box::new(move || effect(Some(Duration::from_secs(40))))),
        ("defect", Box::new(|| Outcome::Failed(Fault::Defect("the rule panicked: ouch".to_owned())))),
        ("crashed", Box::new(|| Outcome::Failed(Fault::Crash { crashes: 3 }))),
        ("unreadable", Box::new(|| Outcome::Failed(Fault::Unreadable("no JSON".to_owned())))),
        ("handled before", Box::new(handled_before)),
        ("duplicate in batch", Box::new(|| Outcome::DuplicateInBatch)),
    ];
    let mut table = String::new();
    for (name, outcome) in &cases {
        for attempt in [1, 3, 6] {
            let envelope = Envelope { attempt, ..envelope::<Send>(1) };
            let settlement = settle(&envelope, outcome());
            table.push_str(&format!("{name:<24} attempt {attempt} -> {}\n", shown(&settlement)));
        }
    }
    let undecodable = give_up_undecodable(&handler(), &incoming(), "no message_id", NOW);
    table.push_str(&format!("{:<24} attempt 1 -> {}\n", "no envelope", shown(&undecodable)));
    let patient = Envelope { attempt: 6, ..envelope::<Locate>(1) };
    table.push_str(&format!(
        "{:<24} attempt 6 -> {}\n",
        "patient, effect failed",
        shown(&settle(&patient, effect(None)))
    ));
    insta::assert_snapshot!(table);
}

#[test]
fn what_is_published_again_is_the_same_to_the_byte() {
    let handled = envelope::<Send>(1);
    let drafts = || Decision::<()>::new(serde_json::json!({})).publish(&Send::example()).outgoing;
    let first = emit::with_ids(handled.message_id, drafts());
    let stored = emit::to_json(&first);
    let again: Vec<millrace_protocol::ledger::FollowUp> = serde_json::from_str(&stored).unwrap();
    assert_eq!(emit::to_json(&again), stored);
    assert_eq!(again[0].body.get(), serde_json::to_string(&Send::example()).unwrap());
    assert_ne!(first[0].id, handled.message_id);
}

#[test]
fn a_database_that_is_away_is_unavailable_and_an_odd_stored_value_rejects_its_row() {
    let gone = sqlx::Error::Io(std::io::Error::other("connection reset"));
    assert!(matches!(DbError::of(&gone), DbError::Unavailable(_)));
    assert!(matches!(DbError::of(&sqlx::Error::PoolTimedOut), DbError::Unavailable(_)));
    let odd = sqlx::Error::Decode("a stored value can't be read: x".into());
    assert!(matches!(DbError::of(&odd), DbError::RowRejected(_)));
}

/// The message with this number, which was redelivered this often.
fn redelivered(number: u64, times: u64) -> Incoming {
    let mut incoming = incoming();
    incoming.envelope = Ok(envelope::<Send>(number.into()));
    incoming.delivery_count = times;
    incoming
}

fn sizes(batches: &[IsolationBatch]) -> Vec<usize> {
    batches.iter().map(|batch| batch.deliveries.len()).collect()
}

#[test]
fn what_was_being_processed_when_the_process_died_comes_into_smaller_batches() {
    let unfinished = [0, 0, 1, 1, 1, 1, 1, 2, 3, 0, 5];
    let deliveries: Vec<Incoming> = (1..=11).map(|number| redelivered(number, 9)).collect();
    let ids = deliveries.iter().map(|delivery| delivery.envelope.as_ref().unwrap().message_id.0);
    let unfinished = ids.zip(unfinished).filter(|(_, attempts)| *attempts > 0).collect();
    let batches = isolation::split_by_risk(deliveries, &unfinished);
    assert_eq!(sizes(&batches), [2, 4, 1, 1, 1, 1, 1]);
    let crashes: Vec<u32> = batches.iter().map(|batch| batch.crashes).collect();
    assert_eq!(crashes, [0, 0, 0, 0, 1, 0, 3]);
}

#[test]
fn what_was_only_redelivered_stays_in_larger_batches_however_often_and_the_rest_is_not_split() {
    let none = HashMap::new();
    let back = (1..=70).map(|number| redelivered(number, 1 + number % 12)).collect();
    assert_eq!(sizes(&isolation::split_by_risk(back, &none)), [32, 32, 6]);
    let mixed = (1..=70).map(|number| redelivered(number, u64::from(number > 60))).collect();
    assert_eq!(sizes(&isolation::split_by_risk(mixed, &none)), [60, 10]);
    assert!(isolation::split_by_risk(Vec::new(), &none).is_empty());
}

#[tokio::test]
async fn in_a_slow_start_one_lane_works_at_a_time_with_a_window_that_grows() {
    let slow_start = SlowStart::new(512);
    let permit = slow_start.enter(|| ()).await.expect("slow start has begun");
    assert!(futures_util::FutureExt::now_or_never(slow_start.enter(|| ())).is_none(), "the others wait");
    assert_eq!(permit.window(), 1);
    permit.window_ended(Redelivery::Often);
    let permit = slow_start.enter(|| ()).await.expect("messages that were redelivered often keep it up");
    assert_eq!(permit.window(), 2);
    permit.window_ended(Redelivery::NoMessage);
    let permit = slow_start.enter(|| ()).await.expect("an empty window says nothing");
    assert_eq!(permit.window(), 2);
    permit.window_ended(Redelivery::Seldom);
    assert!(slow_start.enter(|| ()).await.is_none(), "all lanes may work");
    slow_start.begin_again();
    assert_eq!(slow_start.enter(|| ()).await.map(|permit| permit.window()), Some(1));
}

#[tokio::test]
async fn a_window_as_wide_as_the_prefetch_ends_the_slow_start() {
    let slow_start = SlowStart::new(512);
    let mut windows = Vec::new();
    while let Some(permit) = slow_start.enter(|| ()).await {
        windows.push(permit.window());
        permit.window_ended(Redelivery::Often);
    }
    assert_eq!(windows, [1, 2, 4, 8, 16, 32, 64, 128, 256]);
}

#[test]
fn a_row_that_came_and_went_within_a_batch_is_not_saved_and_one_that_was_deleted_is() {
    let mut rows = DeletableRows::default();
    rows.declare("loaded");
    rows.declare("new");
    rows.fill("loaded", 1, 5);
    rows.put(&"new", 2);
    assert_eq!(
        rows.changed().map(|row| (*row.key, row.value.copied(), row.version)).collect::<Vec<_>>(),
        [("new", Some(2), 1)]
    );
    rows.remove(&"new");
    rows.remove(&"loaded");
    assert_eq!(
        rows.changed().map(|row| (*row.key, row.value.copied(), row.version)).collect::<Vec<_>>(),
        [("loaded", None, 6)]
    );
}
