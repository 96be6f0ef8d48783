//! What the page shows: an order in a world whose workers start when the checks call for them.

use millrace_runtime::Store;
use millrace_testkit::world::World;
use millrace_workers::{Visitor, visit_domains};
use serde_json::json;
use uuid::Uuid;

struct Workers<'a>(&'a mut World);

impl Visitor for Workers<'_> {
    fn visit<D: Store>(&mut self) {
        self.0.start_worker::<D>(&[]);
    }
}

/// A worker per domain.
pub fn start_workers(world: &mut World) {
    visit_domains(&mut Workers(world));
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
