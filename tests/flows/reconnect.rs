//! What the broker's side takes away from running parts comes back by itself, and nothing is lost meanwhile.

use std::time::{Duration, Instant};

use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use millrace_broker::{Connection, ConnectionSettings, Consumer, ConsumerSettings, topology};
use millrace_contracts::UserId;
use millrace_testkit::services::{Services, ports};
use millrace_testkit::world::{PATIENCE, World};
use millrace_workers::orders::Orders;
use millrace_workers::users::Users;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::duplicates::publish;
use super::{SHOP, order, registered, user, world_at_work};

/// The management API, past what the topology needs of it.
async fn manage(method: Method, path: &str, body: &Value) -> Value {
    let url = format!("{}/api/{path}", Services::shared().management_url);
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a plain client");
    let answer = http.request(method, url).json(body).send().await.expect("the management API answers");
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap_or(Value::Null)
}

/// Closes all connections of the world whose name has this in it, as an operator would; says how many there were.
async fn close_connections(world: &World, named: &str) -> usize {
    let path = format!("vhosts/{}/connections", world.management.vhost());
    let connections = manage(Method::GET, &path, &Value::Null).await;
    let mut closed = 0;
    for connection in connections.as_array().expect("a list") {
        let given = connection["client_properties"]["connection_name"].as_str().unwrap_or_default();
        if given.contains(named) {
            let name = connection["name"].as_str().expect("a name").replace(' ', "%20").replace('>', "%3E");
            manage(Method::DELETE, &format!("connections/{name}"), &Value::Null).await;
            closed += 1;
        }
    }
    closed
}

/// Works for orders and users, with an API, and with batches so small that much is in work at any time.
async fn small_steps() -> World {
    let mut world = World::of_domains(&SHOP).await;
    world.start_worker::<Users>(&[]);
    world.start_worker::<Orders>(&["--worker-batch-max=2", "--worker-prefetch=8"]);
    world.start_api().await;
    world
}

async fn customer(world: &World) -> UserId {
    let job = world.job("users.register", &user(None)).await;
    world
        .until("orders to know the customer", async |world| {
            world.count("SELECT count(*) FROM orders.customers").await == 1
        })
        .await;
    UserId(job)
}

/// A message that came back is handled, and what follows from it published, well within this time.
const COPIES_WITHIN: Duration = Duration::from_secs(3);

async fn placed(world: &World, count: i64) {
    world
        .until(&format!("{count} orders"), async |world| {
            world.count("SELECT count(*) FROM orders.orders").await == count
        })
        .await;
}

/// Ends a world in which nobody works for payments.
async fn finish(mut world: World, orders: u32) {
    world.until("every order to be published", async |world| world.depth("payments").await >= orders).await;
    // Published more than once where a confirm or an acknowledgement was lost; the copies come once the message is redelivered.
    let mut published = 0;
    while published != world.depth("payments").await {
        published = world.depth("payments").await;
        tokio::time::sleep(COPIES_WITHIN).await;
    }
    world.claim("payments", published);
    world.finish().await;
}

#[tokio::test]
async fn the_end_of_a_subscription_is_noticed_behind_its_last_message() {
    let world = World::empty().await;
    for _ in 0..3 {
        publish(&world, "orders.cancel", Uuid::now_v7(), &json!({"order_id": Uuid::now_v7()})).await;
    }
    let url = Url::parse(&world.amqp_url).expect("the world's own URL");
    let connection = Connection::open(ConnectionSettings::new(url, "reconnect@test"));
    let settings = ConsumerSettings { queue: "orders", tag: "reconnect".to_owned(), prefetch: 8 };
    let mut consumer = Consumer::open(&connection, &settings).await.expect("the queue is there");
    world.until("all of it to be delivered", async |world| world.depth("orders").await == 0).await;
    // The broker has sent all of it before it says that the subscription is cancelled.
    consumer.cancel().await;
    let batch = consumer.next_batch(10).await.expect("what was delivered before");
    assert_eq!(batch.len(), 3);
    let end = tokio::time::timeout(Duration::from_secs(5), consumer.next_batch(10)).await;
    assert!(end.expect("the end must be noticed, also when it was met while gathering").is_none());
    consumer.acknowledge_through(batch.last().expect("three")).await.expect("the channel is still there");
    consumer.close().await;
    connection.close().await;
    world.finish().await;
}

#[tokio::test]
async fn a_queue_that_is_deleted_and_made_again_is_consumed_again() {
    let world = small_steps().await;
    let customer = customer(&world).await;
    let deleted = world.channel.queue_delete("orders".into(), QueueDeleteOptions::default()).await;
    deleted.expect("an administrator may");
    let answer = world.post("orders.place", &order(customer, "pm_ok")).await;
    assert_eq!(
        (answer.status, &answer.json["type"]),
        // The exchange's alternate takes it: it is kept for a person to look at.
        (202, &Value::Null),
        "{}",
        answer.json
    );
    topology::apply(&world.management, &world.topology, |_| {}).await.expect("it is made again");
    world.job("orders.place", &order(customer, "pm_ok")).await;
    placed(&world, 1).await;
    let mut world = world;
    world.claim("unrouted", 1);
    finish(world, 1).await;
}

#[tokio::test]
async fn connections_that_an_operator_closes_cost_nothing() {
    let world = small_steps().await;
    let customer = customer(&world).await;
    let mut jobs = 0;
    let until = Instant::now() + PATIENCE;
    let mut closed = 0;
    // Until it has hit while there was work; new connections are listed only after some seconds.
    while closed == 0 {
        for _ in 0..40 {
            world.job("orders.place", &order(customer, "pm_ok")).await;
            jobs += 1;
        }
        closed = close_connections(&world, "orders-worker@").await;
        assert!(Instant::now() < until, "the broker lists no connection of the worker");
    }
    placed(&world, jobs).await;
    let twice = "SELECT count(*) FROM ledger.entries WHERE type = 'orders.place' AND (status, attempts) <> ('succeeded', 1)";
    assert_eq!(world.count(twice).await, 0, "a lost connection is no failed attempt");
    finish(world, u32::try_from(jobs).expect("few")).await;
}

#[tokio::test]
async fn an_api_without_its_exchange_accepts_nothing_until_it_is_back() {
    let world = world_at_work().await;
    let customer = registered(&world).await;
    let deleted = world.channel.exchange_delete("commands".into(), ExchangeDeleteOptions::default()).await;
    deleted.expect("an administrator may");
    for _ in 0..5 {
        let answer = world.post("orders.place", &order(customer, "pm_ok")).await;
        assert_eq!(answer.status, 503, "{}", answer.json);
        assert_eq!(
            answer.json["type"], "urn:millrace:problem:no-queue",
            "an operator is alerted: {}",
            answer.json
        );
    }
    topology::apply(&world.management, &world.topology, |_| {}).await.expect("it is made again");
    let taken = world
        .until_some("the API to accept jobs again", async |world| {
            let answer = world.post("orders.place", &order(customer, "pm_ok")).await;
            (answer.status == 202).then_some(answer.json["job_id"].clone())
        })
        .await;
    let job = taken.as_str().and_then(|job| job.parse().ok()).expect("a job id");
    world.expect(job, "succeeded").await;
    assert_eq!(world.count("SELECT count(*) FROM orders.orders").await, 1, "nothing of the refused ones");
    world.finish().await;
}

#[tokio::test]
async fn a_queue_of_another_type_stops_no_worker() {
    let world = small_steps().await;
    let customer = customer(&world).await;
    world.channel.queue_delete("orders".into(), QueueDeleteOptions::default()).await.expect("a queue");
    let mut classic = FieldTable::default();
    classic.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    world.channel.queue_declare("orders".into(), durable, classic).await.expect("a new queue");
    // It is not what the topology wants, but a worker works what it finds.
    publish_into_orders(&world, customer).await;
    placed(&world, 1).await;
    world.channel.queue_delete("orders".into(), QueueDeleteOptions::default()).await.expect("a queue");
    topology::apply(&world.management, &world.topology, |_| {}).await.expect("it is made again");
    world.job("orders.place", &order(customer, "pm_ok")).await;
    placed(&world, 2).await;
    finish(world, 2).await;
}

async fn publish_into_orders(world: &World, customer: UserId) {
    let none = FieldTable::default();
    let bound = world.channel.queue_bind(
        "orders".into(),
        "commands".into(),
        "orders.place".into(),
        Default::default(),
        none,
    );
    bound.await.expect("a binding");
    world.job("orders.place", &order(customer, "pm_ok")).await;
}

/// A broker user of a test's own, and a worker for orders that logs in as that user.
struct RestrictedWorker {
    user: String,
    probes: String,
}

impl RestrictedWorker {
    /// With this password, and what it may read.
    async fn start(world: &mut World, password: &str, read: &str) -> Self {
        let [port] = ports::free().expect("a free port");
        let worker = Self { user: format!("worker-{port}"), probes: format!("127.0.0.1:{port}") };
        worker.has_password(password).await;
        worker.may_read(world, read).await;
        let mut url = Url::parse(&world.amqp_url).expect("the world's own URL");
        url.set_username(&worker.user).expect("a URL with a host");
        url.set_password(Some("right")).expect("a URL with a host");
        let own = std::mem::replace(&mut world.amqp_url, url.into());
        world.start_worker::<Orders>(&[&format!("--probes-listen={}", worker.probes)]);
        world.amqp_url = own;
        worker
    }

    async fn has_password(&self, password: &str) {
        let user = json!({"password": password, "tags": ""});
        manage(Method::PUT, &format!("users/{}", self.user), &user).await;
    }

    async fn may_read(&self, world: &World, read: &str) {
        let path = format!("permissions/{}/{}", world.management.vhost(), self.user);
        manage(Method::PUT, &path, &json!({"configure": "^$", "write": ".*", "read": read})).await;
    }

    /// Waits until the worker says this when it is asked whether it is ready.
    async fn until_it_says(&self, world: &World, status: u16, part: &str) {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a plain client");
        let url = format!("http://{}/readyz", self.probes);
        world
            .until(&format!("the worker to say {status} {part}"), async |_| {
                let Ok(answer) = http.get(&url).send().await else { return false };
                answer.status().as_u16() == status
                    && answer.text().await.is_ok_and(|text| text.contains(part))
            })
            .await;
    }

    async fn stop(self, world: World, orders: u32) {
        finish_told(world, orders).await;
        manage(Method::DELETE, &format!("users/{}", self.user), &Value::Null).await;
    }
}

async fn finish_told(mut world: World, orders: u32) {
    world.claim("payments", orders);
    world.finish().await;
}

/// Somebody who orders, and an order that waits.
async fn with_an_order(world: &mut World) {
    world.start_worker::<Users>(&[]);
    world.start_api().await;
    let job = world.job("users.register", &user(None)).await;
    world.until("the news to wait for orders", async |world| world.depth("orders").await == 1).await;
    world.job("orders.place", &order(UserId(job), "pm_ok")).await;
}

#[tokio::test]
async fn a_worker_that_may_not_read_its_queue_says_so_and_works_once_it_may() {
    let mut world = World::of_domains(&SHOP).await;
    with_an_order(&mut world).await;
    let worker = RestrictedWorker::start(&mut world, "right", "^$").await;
    worker.until_it_says(&world, 503, "refused").await;
    assert_eq!(world.count("SELECT count(*) FROM orders.orders").await, 0);
    worker.may_read(&world, ".*").await;
    placed(&world, 1).await;
    worker.until_it_says(&world, 200, "").await;
    worker.stop(world, 1).await;
}

#[tokio::test]
async fn a_worker_with_a_wrong_password_says_so_and_works_once_it_is_right() {
    let mut world = World::of_domains(&SHOP).await;
    with_an_order(&mut world).await;
    let worker = RestrictedWorker::start(&mut world, "wrong", ".*").await;
    worker.until_it_says(&world, 503, "refuse").await;
    worker.has_password("right").await;
    placed(&world, 1).await;
    worker.until_it_says(&world, 200, "").await;
    worker.stop(world, 1).await;
}
