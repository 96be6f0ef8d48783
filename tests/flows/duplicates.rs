//! A message that comes several times has one effect, and its follow-ups keep their ids.

use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use millrace_testkit::world::World;
use millrace_workers::orders::Orders;
use serde_json::json;
use uuid::Uuid;

use super::{order, registered, world_at_work};

/// A message of this type as the API would publish it.
pub fn properties(message_type: &str, id: Uuid) -> BasicProperties {
    let mut headers = FieldTable::default();
    let text = |text: String| AMQPValue::LongString(text.into());
    headers.insert("version".into(), AMQPValue::LongUInt(1));
    headers.insert("attempt".into(), AMQPValue::LongUInt(1));
    headers.insert("causation-id".into(), text(id.to_string()));
    headers.insert("client-id".into(), text("dev".to_owned()));
    headers.insert("fingerprint".into(), text("0".repeat(32)));
    BasicProperties::default()
        .with_message_id(id.to_string().as_str().into())
        .with_correlation_id(id.to_string().as_str().into())
        .with_type(message_type.into())
        .with_delivery_mode(2)
        .with_headers(headers)
}

/// Publishes a command without the API, as a copy of it would arrive.
pub async fn publish(world: &World, message_type: &str, id: Uuid, body: &serde_json::Value) {
    world
        .channel
        .basic_publish(
            "commands".into(),
            message_type.into(),
            BasicPublishOptions::default(),
            body.to_string().as_bytes(),
            properties(message_type, id),
        )
        .await
        .expect("the broker takes it");
}

/// A queue that subscribes to an event beside its domains.
async fn overhear(world: &World, event: &str) {
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    world.channel.queue_declare("overheard".into(), durable, arguments).await.expect("a queue");
    let options = QueueBindOptions::default();
    let bound = world.channel.queue_bind(
        "overheard".into(),
        "events".into(),
        event.into(),
        options,
        FieldTable::default(),
    );
    bound.await.expect("a binding");
}

async fn overheard_ids(world: &World, at_least: u32) -> Vec<String> {
    world.until("the event to be published", async |world| world.depth("overheard").await >= at_least).await;
    let mut ids = Vec::new();
    while let Some(message) =
        world.channel.basic_get("overheard".into(), Default::default()).await.expect("the queue can be read")
    {
        ids.push(message.delivery.properties.message_id().as_ref().expect("an id").as_str().to_owned());
    }
    ids
}

#[tokio::test]
async fn five_copies_to_one_worker_have_one_effect() {
    let world = world_at_work().await;
    copies_have_one_effect(world).await;
}

#[tokio::test]
async fn five_copies_to_two_workers_have_one_effect() {
    let mut world = world_at_work().await;
    world.start_worker::<Orders>(&["--worker-prefetch=1", "--worker-batch-max=1"]);
    world.start_worker::<Orders>(&["--worker-prefetch=1", "--worker-batch-max=1"]);
    copies_have_one_effect(world).await;
}

async fn copies_have_one_effect(world: World) {
    let user = registered(&world).await;
    overhear(&world, "orders.placed").await;
    let id = Uuid::now_v7();
    let mut body = order(user, "pm_ok");
    body["order_id"] = json!(id);
    for _ in 0..5 {
        publish(&world, "orders.place", id, &body).await;
    }
    world
        .until("the order to be confirmed", async |world| {
            world.count("SELECT count(*) FROM orders.orders WHERE status = 'confirmed'").await == 1
        })
        .await;
    world.until("the copies to be processed", async |world| world.depth("orders").await == 0).await;
    let ids = overheard_ids(&world, 1).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "a follow-up that is published again keeps its id: {ids:?}");
    assert_eq!(world.count("SELECT count(*) FROM orders.orders").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM payments.payments WHERE status = 'captured'").await, 1);
    let twice = "SELECT count(*) FROM (SELECT 1 FROM ledger.entries GROUP BY handler, message_id HAVING count(*) > 1) AS twice";
    assert_eq!(world.count(twice).await, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_finished_message_is_published_again_with_the_same_ids() {
    let world = world_at_work().await;
    let user = registered(&world).await;
    overhear(&world, "orders.placed").await;
    let id = Uuid::now_v7();
    let body = order(user, "pm_ok");
    publish(&world, "orders.place", id, &body).await;
    let first = overheard_ids(&world, 1).await;
    // The delivery that comes back after its worker died between commit and publish drives the outbox.
    publish(&world, "orders.place", id, &body).await;
    let second = overheard_ids(&world, 1).await;
    assert_eq!((first.len(), &first), (1, &second));
    world.finish().await;
}
