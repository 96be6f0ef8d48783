//! What goes wrong with single messages: poison, rows the database refuses, a gateway that is silent, a stop under load.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::BasicPublishOptions;
use millrace_broker::dead::{self, Selection};
use millrace_broker::{Connection, ConnectionSettings, Publisher};
use millrace_contracts::{OrderId, auth, orders, users};
use millrace_testkit::world::World;
use millrace_workers::orders::Orders;
use millrace_workers::users::Users;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::duplicates::publish;
use super::{SHOP, order, order_state, registered, start_all, world_at_work};

fn header(letter: &Delivery, name: &str) -> String {
    let headers = letter.properties.headers().as_ref().expect("a dead letter has headers");
    match headers.inner().get(name) {
        Some(lapin::types::AMQPValue::LongString(text)) => text.to_string(),
        other => format!("{other:?}"),
    }
}

async fn throw_in(world: &World, body: &[u8], properties: BasicProperties) {
    let published = world
        .channel
        .basic_publish("".into(), "orders".into(), BasicPublishOptions::default(), body, properties)
        .await;
    published.expect("the broker takes it");
}

#[tokio::test]
async fn garbage_is_dead_lettered_with_a_reason_and_hurts_nobody() {
    let mut world = world_at_work().await;
    let user = registered(&world).await;
    throw_in(&world, b"\xff\xfe not json", BasicProperties::default()).await;
    let neighbour = world.job("orders.place", &order(user, "pm_ok")).await;
    world.expect(neighbour, "succeeded").await;
    let letters = world.dead_letters(orders::DOMAIN, 1).await;
    assert_eq!(letters[0].data, b"\xff\xfe not json", "the body is kept as it came");
    assert_eq!(header(&letters[0], "failure-class"), "unreadable");
    assert_eq!(
        header(&letters[0], "failure-reason"),
        "the message has no message_id property, which every message of this system carries: it was published by \
         something else"
    );
    assert!(
        header(&letters[0], "failed-by").starts_with("orders-worker@"),
        "{}",
        header(&letters[0], "failed-by")
    );
    world.finish().await;
}

#[tokio::test]
async fn a_row_that_the_database_refuses_fails_alone() {
    let mut world = start_all(World::hurried(&[auth::DOMAIN, users::DOMAIN, orders::DOMAIN]).await).await;
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    for id in [first, second] {
        publish(&world, "auth.issue-api-key", id, &key(id)).await;
    }
    let user = registered(&world).await;
    let neighbour = world.job("orders.place", &order(user, "pm_ok")).await;
    world.expect(neighbour, "succeeded").await;
    let letters = world.dead_letters(auth::DOMAIN, 1).await;
    assert_eq!(header(&letters[0], "failure-class"), "defect");
    assert!(
        header(&letters[0], "failure-reason").contains("23505"),
        "{}",
        header(&letters[0], "failure-reason")
    );
    assert_eq!(world.count("SELECT count(*) FROM auth.api_keys").await, 1);
    let statuses = "SELECT count(*) FROM ledger.entries WHERE type = 'auth.issue-api-key' AND (status, attempts) IN (('succeeded', 1), ('dead', 6))";
    assert_eq!(world.count(statuses).await, 2);
    world.finish().await;
}

#[tokio::test]
async fn a_silent_gateway_is_asked_eight_times_and_then_a_person() {
    let mut world = start_all(World::hurried(&SHOP).await).await;
    let user = registered(&world).await;
    let job = world.job("orders.place", &order(user, "pm_timeout")).await;
    let letters = world.dead_letters(millrace_contracts::payments::DOMAIN, 1).await;
    assert_eq!(header(&letters[0], "failure-class"), "effect");
    assert!(header(&letters[0], "failure-reason").starts_with("given up after 8 attempts: "));
    let view = world.get(&format!("/v1/jobs/{job}")).await.json;
    assert_eq!((&view["status"], &view["flow"]["state"]), (&json!("succeeded"), &json!("stuck")));
    assert_eq!(order_state(&world, OrderId(job)).await, ("placed".to_owned(), "pending".to_owned()));
    world.finish().await;
}

#[tokio::test]
async fn a_stop_under_load_loses_nothing() {
    let mut world = World::of_domains(&SHOP).await;
    world.start_worker::<Users>(&[]);
    world.start_api().await;
    let first = world.worker::<Orders>(&["--worker-prefetch=8", "--worker-batch-max=4"]);
    let user = registered_with_orders_only(&world).await;
    let mut jobs = Vec::new();
    for _ in 0..200 {
        jobs.push(world.job("orders.place", &order(user, "pm_ok")).await);
    }
    first.stop().await;
    world.start_worker::<Orders>(&[]);
    world
        .until("every order to be placed", async |world| {
            world.count("SELECT count(*) FROM orders.orders").await == 200
        })
        .await;
    let placed = "SELECT count(*) FROM ledger.entries WHERE type = 'orders.place' AND status = 'succeeded'";
    assert_eq!(world.count(placed).await, i64::try_from(jobs.len()).expect("few"));
    // Nobody works payments here.
    world.claim("payments", 200);
    world.finish().await;
}

async fn registered_with_orders_only(world: &World) -> millrace_contracts::UserId {
    let job = world.job("users.register", &super::user(None)).await;
    world
        .until("orders to know the customer", async |world| {
            world.count("SELECT count(*) FROM orders.customers").await == 1
        })
        .await;
    millrace_contracts::UserId(job)
}

#[tokio::test]
async fn a_dead_letter_is_sent_again_once_its_cause_is_mended() {
    let world = start_all(World::hurried(&[auth::DOMAIN]).await).await;
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    for id in [first, second] {
        publish(&world, "auth.issue-api-key", id, &key(id)).await;
    }
    world.until("a dead letter", async |world| world.depth("auth.dead").await == 1).await;
    let letters = dead::peek(&world.management, auth::DOMAIN, 10).await.expect("the console's API answers");
    let letter = letters.expect("the queue exists").first.remove(0);
    assert_eq!(letter.class.as_deref(), Some("defect"));
    let mended = "WITH gone AS (DELETE FROM auth.api_keys RETURNING key_id) SELECT count(*) FROM gone";
    assert_eq!(world.count(mended).await, 1);

    let url = Url::parse(&world.amqp_url).expect("the world's own URL");
    let connection = Connection::open(ConnectionSettings::new(url, "ops@test"));
    let publisher = Publisher::open(&connection, 1, Duration::from_secs(5));
    let redriven =
        dead::redrive(&connection, &publisher, auth::DOMAIN, &Selection::All).await.expect("all is up");
    assert_eq!((redriven.sent, redriven.left), (1, 0));
    connection.close().await;
    let done =
        "SELECT count(*) FROM ledger.entries WHERE type = 'auth.issue-api-key' AND status = 'succeeded'";
    world.until("the message to succeed", async |world| world.count(done).await == 2).await;
    world.finish().await;
}

/// The same key hash whatever the id: the unique index refuses the second one, whatever the rules think.
fn key(id: Uuid) -> serde_json::Value {
    json!({"key_id": id, "client_id": "shop", "name": "shop", "scopes": ["jobs:*"],
           "key_prefix": "mr_000000", "key_hash": "a".repeat(64)})
}
