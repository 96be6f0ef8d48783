//! Orders from the API to the last follow-up.

use millrace_contracts::{OrderId, UserId};
use serde_json::json;
use uuid::Uuid;

use super::{order, order_state, registered, shop_at_work, trail, user, world_at_work};

#[tokio::test]
async fn an_order_is_placed_paid_and_confirmed() {
    let world = shop_at_work().await;
    let user = registered(&world).await;
    let job = world.job("orders.place", &order(user, "pm_ok")).await;
    let view = world.expect(job, "succeeded").await;
    assert_eq!(view["result"]["order_id"], json!(job), "an order without an id takes its job's");
    assert_eq!(
        trail(&world, job).await,
        [
            "orders.place by orders: succeeded",
            "orders.placed by payments: succeeded",
            "payments.charge by payments: succeeded",
            "payments.captured by orders: succeeded",
            "orders.confirmed by : unsubscribed",
        ]
    );
    assert_eq!(view["flow"], json!({"state": "settled", "handled": 4, "pending": 0, "dead": 0}));
    assert_eq!(order_state(&world, OrderId(job)).await, ("confirmed".to_owned(), "paid".to_owned()));
    world.finish().await;
}

#[tokio::test]
async fn a_declined_payment_cancels_the_order() {
    let world = world_at_work().await;
    let user = registered(&world).await;
    let job = world.job("orders.place", &order(user, "pm_declined")).await;
    world.expect(job, "succeeded").await;
    assert_eq!(order_state(&world, OrderId(job)).await, ("cancelled".to_owned(), "declined".to_owned()));
    world.finish().await;
}

#[tokio::test]
async fn cancelling_a_paid_order_pays_it_back() {
    let world = world_at_work().await;
    let user = registered(&world).await;
    let placed = world.job("orders.place", &order(user, "pm_ok")).await;
    world.expect(placed, "succeeded").await;
    let cancelled = world.job("orders.cancel", &json!({"order_id": placed})).await;
    world.expect(cancelled, "succeeded").await;
    assert_eq!(order_state(&world, OrderId(placed)).await, ("cancelled".to_owned(), "refunded".to_owned()));
    let again = world.job("orders.cancel", &json!({"order_id": placed})).await;
    let view = world.expect(again, "refused").await;
    assert_eq!(view["problem"]["type"], "urn:millrace:problem:order-already-cancelled");
    world.finish().await;
}

#[tokio::test]
async fn an_order_that_overtook_its_customer_waits_for_them() {
    let world = world_at_work().await;
    let customer = UserId(Uuid::now_v7());
    let job = world.job("orders.place", &order(customer, "pm_ok")).await;
    world
        .until("the order to be postponed", async |world| {
            world.get(&format!("/v1/jobs/{job}")).await.json["status"] == "retrying"
        })
        .await;
    let registering = world.job("users.register", &user(Some(customer))).await;
    world.expect(registering, "succeeded").await;
    let view = world.expect(job, "succeeded").await;
    assert!(view["attempts"].as_u64() > Some(1), "it was tried before: {view:#}");
    world.finish().await;
}

#[tokio::test]
async fn an_order_of_nobody_is_refused_in_the_end() {
    let world = world_at_work().await;
    let job = world.job("orders.place", &order(UserId(Uuid::now_v7()), "pm_ok")).await;
    let view = world.expect(job, "refused").await;
    assert_eq!(view["problem"]["type"], "urn:millrace:problem:customer-unknown");
    assert_eq!(view["attempts"], 6);
    world.finish().await;
}

#[tokio::test]
async fn a_flaky_gateway_is_asked_again() {
    let world = world_at_work().await;
    let user = registered(&world).await;
    let job = world.job("orders.place", &order(user, "pm_flaky")).await;
    world.expect(job, "succeeded").await;
    assert_eq!(order_state(&world, OrderId(job)).await, ("confirmed".to_owned(), "paid".to_owned()));
    world.finish().await;
}

#[tokio::test]
async fn two_users_can_not_have_one_address() {
    let world = world_at_work().await;
    let first = json!({"email": "ada@example.com", "name": "Ada"});
    let second = json!({"email": "ADA@example.com", "name": "Another Ada"});
    let (first, second) =
        (world.job("users.register", &first).await, world.job("users.register", &second).await);
    let states = [world.outcome(first).await, world.outcome(second).await];
    let succeeded = states.iter().filter(|view| view["status"] == "succeeded").count();
    let taken =
        states.iter().filter(|view| view["problem"]["type"] == "urn:millrace:problem:email-taken").count();
    assert_eq!((succeeded, taken), (1, 1), "{states:#?}");
    world.finish().await;
}
