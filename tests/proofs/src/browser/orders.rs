//! What the page shows: an order in a world whose workers start when the checks call for them.

use millrace_contracts::{orders, payments, users};
use millrace_protocol::DomainName;
use millrace_runtime::Store;
use millrace_testkit::world::World;
use millrace_workers::{Visitor, visit_domains};
use serde_json::json;
use uuid::Uuid;

use crate::commands;

/// What an order needs. The page shows the same of it when a new domain subscribes to their events.
pub const DOMAINS: [DomainName; 3] = [users::DOMAIN, orders::DOMAIN, payments::DOMAIN];

struct Workers<'a>(&'a mut World);

impl Visitor for Workers<'_> {
    fn visit<D: Store>(&mut self) {
        if DOMAINS.contains(&D::NAME) {
            self.0.start_worker::<D>(&[]);
        }
    }
}

/// A worker for each of these domains.
pub fn start_workers(world: &mut World) {
    visit_domains(&mut Workers(world));
}

/// Registers a customer whose id is known before any worker has handled the job.
pub async fn customer(world: &World) -> Uuid {
    let customer = Uuid::now_v7();
    let mut who = commands::register(&format!("{customer}@example.com"));
    who["user_id"] = json!(customer);
    world.job("users.register", &who).await;
    customer
}

/// Places an order of 25.00 EUR.
pub async fn order(world: &World, customer: Uuid) -> Uuid {
    world.job("orders.place", &commands::order(customer)).await
}
