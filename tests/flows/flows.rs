//! The one test binary: whole flows on a real broker and a real database, looked at as their owner would; the pipeline
//! as a model; and the rules of the repository.

mod api;
mod bad_input;
mod contracts_check;
mod duplicates;
mod faults;
mod keys;
mod ledger;
mod model;
mod orders;
mod reconnect;
mod silence;
mod stuck;
mod tidy;
mod topology;

use std::process::Output;

use millrace_contracts::{OrderId, UserId, payments, users};
use millrace_protocol::DomainName;
use millrace_runtime::Store;
use millrace_testkit::world::World;
use millrace_workers::{Visitor, visit_domains};
use serde_json::{Value, json};
use uuid::Uuid;

/// What an order needs. What a test expects of them stays as it is when a new domain subscribes to their events.
const SHOP: [DomainName; 3] = [users::DOMAIN, millrace_contracts::orders::DOMAIN, payments::DOMAIN];

/// A world with an API and a worker for each domain that there is.
async fn world_at_work() -> World {
    start_all(World::empty().await).await
}

/// A world with an API and a worker for each of the shop's domains.
async fn shop_at_work() -> World {
    start_all(World::of_domains(&SHOP).await).await
}

/// Starts an API and a worker for each domain of the world.
async fn start_all(mut world: World) -> World {
    visit_domains(&mut Workers(&mut world));
    world.start_api().await;
    world
}

/// Starts a worker of each domain of the world.
struct Workers<'a>(&'a mut World);

impl Visitor for Workers<'_> {
    fn visit<D: Store>(&mut self) {
        if !self.0.catalog().domains().contains(&D::NAME) {
            return;
        }
        let own: &[&str] = if D::NAME == payments::DOMAIN { &["--gateway-deadline-ms=300"] } else { &[] };
        self.0.start_worker::<D>(own);
    }
}

/// Registers a user, and waits until orders knows them.
async fn registered(world: &World) -> UserId {
    let job = world.job("users.register", &user(None)).await;
    world.expect(job, "succeeded").await;
    UserId(job)
}

/// A new user; no two have the same address.
fn user(id: Option<UserId>) -> Value {
    let mut user = json!({"email": format!("{}@example.com", Uuid::now_v7()), "name": "Ada Lovelace"});
    if let Some(id) = id {
        user["user_id"] = json!(id);
    }
    user
}

/// An order of 25.00 EUR.
fn order(user: UserId, payment_method: &str) -> Value {
    json!({
        "user_id": user,
        "currency": "EUR",
        "lines": [{"sku": "TEA-EARL-GREY-250", "quantity": 2, "unit_price_minor": 1250}],
        "payment_method": payment_method,
    })
}

/// Runs the operator's toolbox to its end.
async fn ops(world: &World, arguments: &[&str]) -> Output {
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_ops-for-tests"));
    program.args(arguments).env("AMQP_URL", &world.amqp_url).env("DATABASE_URL", &world.database_url);
    program.output().await.expect("the program starts")
}

/// What a program wrote, to stdout and to stderr.
fn written(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The states of an order, in its own table.
async fn order_state(world: &World, order: OrderId) -> (String, String) {
    sqlx::query_as("SELECT status, payment FROM orders.orders WHERE order_id = $1")
        .bind(order.0)
        .fetch_one(&world.database)
        .await
        .expect("the order exists")
}

/// The types of a job's messages with their handlers, in the order of its trail.
async fn trail(world: &World, job: Uuid) -> Vec<String> {
    let trail = world.get(&format!("/v1/jobs/{job}/trail")).await.json;
    let messages = trail["messages"].as_array().expect("a trail has messages");
    messages
        .iter()
        .map(|message| {
            let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
            format!("{} by {}: {}", text("type"), text("handler"), text("status"))
        })
        .collect()
}
