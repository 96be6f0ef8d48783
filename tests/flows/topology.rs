//! The topology on a real broker: applying it twice changes nothing, and each part does what it is there for.

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use millrace_broker::topology;
use millrace_testkit::world::World;

async fn publish(world: &World, exchange: &str, key: &str) {
    let published = world
        .channel
        .basic_publish(
            exchange.into(),
            key.into(),
            BasicPublishOptions::default(),
            b"x",
            BasicProperties::default(),
        )
        .await;
    published.expect("the broker takes it");
}

#[tokio::test]
async fn applying_twice_changes_nothing() {
    let world = World::empty().await;
    let plan = topology::plan(&world.management, &world.topology).await.expect("a plan");
    assert!(plan.is_settled(), "{plan:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_waiting_message_goes_back_to_the_queue_that_its_key_names() {
    let mut world = World::empty().await;
    for (queue, domain) in [("retry.200ms", "orders"), ("retry.1s", "auth"), ("retry.5s", "users")] {
        publish(&world, queue, domain).await;
        world.until("it to come back", async |world| world.depth(domain).await == 1).await;
        world.claim(domain, 1);
    }
    world.finish().await;
}

#[tokio::test]
async fn what_nobody_wants_is_kept() {
    let mut world = World::empty().await;
    for (exchange, key) in [("commands", "orders.unheard-of"), ("redrive", "nobody"), ("dead", "nobody")] {
        publish(&world, exchange, key).await;
    }
    world.until("all of it to be caught", async |world| world.depth("unrouted").await == 3).await;
    world.claim("unrouted", 3);
    world.finish().await;
}

#[tokio::test]
async fn an_operator_can_send_a_dead_letter_back() {
    let mut world = World::empty().await;
    publish(&world, "redrive", "payments").await;
    world.until("it to be there", async |world| world.depth("payments").await == 1).await;
    world.claim("payments", 1);
    world.finish().await;
}
