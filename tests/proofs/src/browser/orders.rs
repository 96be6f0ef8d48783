//! What the page shows: an order in a world whose workers start when the checks call for them.

use millrace_testkit::world::World;
use millrace_workers::auth::Auth;
use millrace_workers::orders::Orders;
use millrace_workers::payments::Payments;
use millrace_workers::users::Users;
use serde_json::json;
use uuid::Uuid;

/// A worker per domain.
pub fn start_workers(world: &mut World) {
    world.start_worker::<Users>(&[]);
    world.start_worker::<Auth>(&[]);
    world.start_worker::<Orders>(&[]);
    world.start_worker::<Payments>(&["--gateway-deadline-ms=300"]);
}

/// Registers a customer whose id is known before any worker has handled the job.
pub async fn customer(world: &World) -> Uuid {
    let customer = Uuid::now_v7();
    let who =
        json!({"user_id": customer, "email": format!("{customer}@example.com"), "name": "Ada Lovelace"});
    world.job("users.register", &who).await;
    customer
}

/// Places an order of 25.00 EUR.
pub async fn order(world: &World, customer: Uuid) -> Uuid {
    let order = json!({
        "user_id": customer,
        "currency": "EUR",
        "lines": [{"sku": "TEA-EARL-GREY-250", "quantity": 2, "unit_price_minor": 1250}],
        "payment_method": "pm_ok",
    });
    world.job("orders.place", &order).await
}
