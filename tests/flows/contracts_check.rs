//! What a release can't read of what lies in the queues, found out before it is rolled out, and at nobody's expense.

use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::types::AMQPValue;
use millrace_broker::topology;
use millrace_contracts::{OrderId, orders};
use millrace_protocol::Contract;
use millrace_testkit::world::World;
use serde_json::json;
use uuid::Uuid;

use super::duplicates::properties;
use super::{ops, written};

const CHECK: [&str; 2] = ["contracts", "check"];

async fn publish(world: &World, exchange: &str, key: &str, body: &[u8], properties: BasicProperties) {
    let options = BasicPublishOptions::default();
    let published = world.channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
    published.expect("the broker takes it");
}

fn cancel() -> Vec<u8> {
    json!(orders::Cancel { order_id: OrderId(Uuid::nil()) }).to_string().into_bytes()
}

/// A message that a newer release wrote.
fn newer(id: Uuid) -> BasicProperties {
    let properties = properties(orders::Cancel::TYPE, id);
    let mut headers = properties.headers().clone().expect("headers");
    headers.insert("version".into(), AMQPValue::LongUInt(2));
    properties.with_headers(headers)
}

async fn until_there(world: &World, queue: &str, count: u32) {
    world.until(&format!("{count} in {queue}"), async |world| world.depth(queue).await == count).await;
}

async fn purge(world: &World, queue: &str) {
    world.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.expect("a queue");
}

#[tokio::test]
async fn where_nothing_lies_there_is_nothing_to_complain_of() {
    let world = World::empty().await;
    let checked = ops(&world, &CHECK).await;
    let (out, errors) = written(&checked);
    assert_eq!(checked.status.code(), Some(0), "{out}{errors}");
    assert_eq!(
        out.lines().filter(|line| line.ends_with(": empty")).count(),
        world.topology.queues.len(),
        "{out}"
    );

    let deleted = world.channel.queue_delete("unrouted".into(), QueueDeleteOptions::default()).await;
    deleted.expect("the queue was there");
    let checked = ops(&world, &CHECK).await;
    let (out, errors) = written(&checked);
    assert_eq!(checked.status.code(), Some(1), "{out}{errors}");
    assert!(errors.contains("queue `unrouted` does not exist. `ops topology apply` creates it"), "{errors}");
    assert!(out.contains("retry.1h: empty"), "the other queues are inspected all the same: {out}");
    topology::apply(&world.management, &world.topology, |_| {}).await.expect("the queue is made again");
    world.finish().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_told_of_wherever_it_lies_and_stays_there() {
    let world = World::empty().await;
    let [good, new, misspelt, lost] = [(); 4].map(|()| Uuid::now_v7());
    let place = properties(orders::Place::TYPE, misspelt);
    let lying = [("orders", 2), ("retry.1h", 1), ("orders.dead", 1), ("unrouted", 1)];
    publish(&world, "commands", "orders.cancel", &cancel(), properties("orders.cancel", good)).await;
    publish(&world, "commands", "orders.cancel", &cancel(), newer(new)).await;
    publish(&world, "retry.1h", "orders", br#"{"user_id": "somebody"}"#, place).await;
    publish(&world, "dead", "orders", b"\xff no message of ours", BasicProperties::default()).await;
    publish(&world, "commands", "orders.vanish", b"{}", properties("orders.vanish", lost)).await;
    for (queue, count) in lying {
        until_there(&world, queue, count).await;
    }

    let checked = ops(&world, &CHECK).await;
    let (out, errors) = written(&checked);
    assert_eq!(checked.status.code(), Some(2), "{out}{errors}");
    let newer = "version 2: `orders.cancel` version 2 is not known to this release, which reads version 1";
    for line in [
        "orders: inspected 2, cannot decode 1".to_owned(),
        format!("  {new} orders.cancel {newer}"),
        "retry.1h: inspected 1, cannot decode 1".to_owned(),
        format!(
            "  {misspelt} orders.place version 1: the body is not a valid `orders.place`: /user_id: expected a UUID such as \
             01980000-0000-7000-8000-000000000001"
        ),
        "orders.dead: inspected 1, cannot decode 1".to_owned(),
        "unrouted: inspected 1, cannot decode 1".to_owned(),
        format!("  {lost} orders.vanish version 1: messages of type `orders.vanish` are not handled here"),
        "payments: empty".to_owned(),
    ] {
        assert!(out.lines().any(|said| said == line), "{line:?} is not in {out}");
    }
    assert!(
        out.contains("  (a message without an id) (of no type): the message has no message_id property"),
        "{out}"
    );
    assert!(!out.contains(&good.to_string()), "{out}");
    for (queue, count) in lying {
        until_there(&world, queue, count).await;
        purge(&world, queue).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_long_queue_is_inspected_as_far_as_asked_and_keeps_its_order() {
    const COUNT: u32 = 2_500;
    let world = World::empty().await;
    let ids: Vec<Uuid> = (0..COUNT).map(|_| Uuid::now_v7()).collect();
    for id in &ids {
        publish(&world, "commands", "orders.cancel", &cancel(), properties("orders.cancel", *id)).await;
    }
    until_there(&world, "orders", COUNT).await;
    for (flags, said) in [
        (&["--max=10"][..], "orders: inspected 10 of 2,500, cannot decode 0"),
        (&["--max=1500"], "orders: inspected 1,500 of 2,500, cannot decode 0"),
        (&[], "orders: inspected 2,500, cannot decode 0"),
    ] {
        let checked = ops(&world, &[&CHECK, flags].concat()).await;
        let (out, errors) = written(&checked);
        assert!(out.lines().any(|line| line == said), "{said:?} is not in {out}{errors}");
        assert_eq!(checked.status.code(), Some(0), "{out}{errors}");
        until_there(&world, "orders", COUNT).await;
    }
    for id in &ids {
        let got = world.channel.basic_get("orders".into(), BasicGetOptions { no_ack: true }).await;
        let got = got.expect("the queue can be read").expect("a message").delivery;
        assert_eq!(got.properties.message_id().as_ref().map(ToString::to_string), Some(id.to_string()));
    }
    world.finish().await;
}
