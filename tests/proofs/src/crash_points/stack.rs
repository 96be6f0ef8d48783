//! Where cases run: a world in which first retries wait until they are let go, and a lane can be held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use lapin::ExchangeKind;
use lapin::message::Delivery;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use millrace_broker::{Connection, ConnectionSettings, Outgoing, Publisher};
use millrace_contracts::{UserId, orders, payments, users};
use millrace_protocol::DelayQueue;
use millrace_testkit::journal;
use millrace_testkit::services::{Services, management};
use millrace_testkit::world::World;
use sqlx::{Postgres, Transaction};
use url::Url;
use uuid::Uuid;

use crate::wait;

/// First retries lie here until they are let go.
const HELD: &str = "held";
/// Where the first retry of a message waits, by its policy.
const FIRST_DELAYS: [DelayQueue; 2] = [DelayQueue::MS_200, DelayQueue::S_1];
/// How long anything may take that must come; a machine that compiles at the same time is slow.
pub const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_PAUSE: Duration = Duration::from_millis(3);
/// Everything that a case leaves behind. `ledger.started_attempts` is looked at before.
const FORGET: &str = "DELETE FROM ledger.entries; DELETE FROM ledger.started_attempts; DELETE FROM orders.orders; \
                      DELETE FROM payments.payments; DELETE FROM orders.customers";

/// A world for one case after the other.
pub struct Stack {
    pub world: World,
    amqp: lapin::Connection,
    connection: Connection,
    publisher: Publisher,
    /// A connection of its own for each request.
    pub http: reqwest::Client,
    prepared_below: AtomicI64,
}

/// What stands in the way of every lane: while it is closed, none can read the ledger.
pub struct Gate(Transaction<'static, Postgres>);

impl Stack {
    pub async fn open() -> Self {
        // Where orders and payments run, each publishes into the other's queue; both wait for news of users.
        let world = World::of_domains(&[users::DOMAIN, orders::DOMAIN, payments::DOMAIN]).await;
        let url = Url::parse(&world.amqp_url).expect("the world's own URL");
        let connection = Connection::open(ConnectionSettings::new(url, "crash-points"));
        let publisher = Publisher::open(&connection, 1, PATIENCE);
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).pool_max_idle_per_host(0);
        let http = http.build().expect("a plain client");
        let connecting = lapin::Connection::connect(&world.amqp_url, lapin::ConnectionProperties::default());
        let amqp = connecting.await.expect("the broker is up");
        let stack = Self { world, amqp, connection, publisher, http, prepared_below: AtomicI64::new(0) };
        stack.prepare().await.expect("the broker lets a new vhost be changed");
        journal::install(&stack.world.database).await.expect("a migrated database takes the journal");
        stack
    }

    /// A queue without expiry is put in between the first rungs' exchanges and their queues.
    async fn prepare(&self) -> lapin::Result<()> {
        let channel = &self.world.channel;
        let mut quorum = FieldTable::default();
        quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(HELD.into(), durable, quorum).await?;
        for delay in FIRST_DELAYS {
            let (queue, release) = (delay.name(), release(delay));
            let (name, release) = (queue.as_str(), release.as_str());
            let none = FieldTable::default;
            let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            channel.exchange_declare(release.into(), ExchangeKind::Fanout, options, none()).await?;
            channel.queue_bind(name.into(), release.into(), "".into(), bound(), none()).await?;
            channel.queue_bind(HELD.into(), name.into(), "".into(), bound(), none()).await?;
            channel.queue_unbind(name.into(), name.into(), "".into(), none()).await?;
        }
        Ok(())
    }

    /// Publishes and waits for the broker's confirm.
    pub async fn publish(&self, messages: Vec<Outgoing>) {
        let (until, messages) = (Instant::now() + PATIENCE, Arc::<[Outgoing]>::from(messages));
        while let Err(error) = self.publisher.publish(Arc::clone(&messages)).await {
            assert!(Instant::now() < until, "the broker does not take the case's messages: {error}");
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Takes all that is there.
    pub async fn take_all(&self, queue: &str) -> Vec<Delivery> {
        let mut taken = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(got) =
            self.world.channel.basic_get(queue.into(), options).await.expect("the queue can be read")
        {
            taken.push(got.delivery);
        }
        taken
    }

    /// Has everything in the queue come back once more, as if somebody had died of holding it.
    pub async fn bring_back(&self, queue: &str) -> Result<(), String> {
        let channel = self.amqp.create_channel().await.expect("the broker is up");
        let options = BasicGetOptions { no_ack: false };
        let mut taken = 0;
        while channel.basic_get(queue.into(), options).await.expect("the queue can be read").is_some() {
            taken += 1;
        }
        channel.close(200, "given back".into()).await.expect("the channel is still there");
        until("all to be back", async || self.queue(queue).await.0 == taken).await
    }

    pub async fn take_held(&self) -> Vec<Delivery> {
        self.take_all(HELD).await
    }

    /// Lets first retries go: they wait their time and come back.
    pub async fn let_go(&self, delay: DelayQueue, handler: &str, held: &[Delivery]) {
        for delivery in held {
            let options = BasicPublishOptions::default();
            let (exchange, properties) = (release(delay), delivery.properties.clone());
            let channel = &self.world.channel;
            let sent = channel.basic_publish(
                exchange.as_str().into(),
                handler.into(),
                options,
                &delivery.data,
                properties,
            );
            sent.await.expect("the broker takes it");
        }
    }

    /// How many messages are ready and how many subscriptions there are.
    pub async fn queue(&self, name: &str) -> (usize, u32) {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let state = self.world.channel.queue_declare(name.into(), passive, FieldTable::default()).await;
        let state = state.expect("the topology has the queue");
        (usize::try_from(state.message_count()).unwrap_or(usize::MAX), state.consumer_count())
    }

    /// Waits until the broker has noticed that nobody consumes any more, and counts what came back from them.
    pub async fn left_behind(&self, queue: &str) -> Result<usize, String> {
        until("the broker to notice the end of the worker", async || self.queue(queue).await.1 == 0).await?;
        Ok(self.queue(queue).await.0)
    }

    /// Whether a worker may have this many messages of a queue delivered at once.
    pub async fn has_prefetch(&self, queue: &str, prefetch: u64) -> bool {
        let (url, path) =
            (&Services::shared().management_url, format!("consumers/{}", self.world.management.vhost()));
        let consumers = management::get(url, &path).await.expect("the management API answers");
        consumers.as_array().is_some_and(|consumers| {
            let of_queue = |consumer: &&serde_json::Value| consumer["queue"]["name"] == queue;
            consumers.iter().filter(of_queue).any(|consumer| consumer["prefetch_count"] == prefetch)
        })
    }

    /// Closes the gate: whoever looks into the ledger waits.
    pub async fn gate(&self) -> Gate {
        let mut transaction = self.world.database.begin().await.expect("the database is up");
        let lock = "LOCK TABLE ledger.entries IN ACCESS EXCLUSIVE MODE";
        sqlx::query(lock).execute(&mut *transaction).await.expect("nobody else is at the ledger");
        Gate(transaction)
    }

    /// Customers whom every case knows.
    pub async fn know_customer(&self, user: UserId, status: &str) {
        let sql = "INSERT INTO orders.customers (user_id, status, version) VALUES ($1, $2, 1)";
        sqlx::query(sql)
            .bind(user.0)
            .bind(status)
            .execute(&self.world.database)
            .await
            .expect("a new customer");
    }

    /// A payment that waits for its charge.
    pub async fn open_payment(&self, order: Uuid, method: &str) {
        let sql = "INSERT INTO payments.payments \
                   (order_id, payment_id, amount_minor, currency, payment_method, status, version) \
                   VALUES ($1, $1, 2500, 'EUR', $2, 'pending', 1)";
        sqlx::query(sql).bind(order).bind(method).execute(&self.world.database).await.expect("a new payment");
    }

    /// Whatever is written from here on is the work of the programs.
    pub async fn note_prepared(&self) {
        let sql = "SELECT pg_current_xact_id()::text::bigint";
        self.prepared_below.store(self.world.count(sql).await, Ordering::Relaxed);
    }

    /// Transactions below this one prepared the case.
    pub fn prepared_below(&self) -> i64 {
        self.prepared_below.load(Ordering::Relaxed)
    }

    /// Forgets what the case has left in the database.
    pub async fn forget(&self) {
        sqlx::raw_sql(FORGET).execute(&self.world.database).await.expect("the case's own rows");
        journal::clear(&self.world.database).await.expect("the stack's own journal");
    }

    /// Ends the world, which looks whether anything is left in a queue. What a failed case left is thrown away.
    pub async fn close(self, failed: bool) {
        self.connection.close().await;
        // The world's end closes it as well.
        let _ = self.amqp.close(200, "done".into()).await;
        self.forget().await;
        if failed {
            for queue in &self.world.topology.queues {
                let purged =
                    self.world.channel.queue_purge(queue.as_str().into(), QueuePurgeOptions::default());
                purged.await.expect("the topology has the queue");
            }
        }
        self.world.finish().await;
    }
}

impl Gate {
    /// Waits until somebody stands before it.
    pub async fn until_somebody_waits(&mut self) -> Result<(), String> {
        let sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'ledger.entries'::regclass \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        until("a lane to come to the ledger", async || {
            let waiting: Result<i64, _> = sqlx::query_scalar(sql).fetch_one(&mut *self.0).await;
            waiting.expect("the database is up") > 0
        })
        .await
    }

    /// Lets everybody through.
    pub async fn open(self) {
        self.0.rollback().await.expect("the database is up");
    }
}

pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) -> Result<(), String> {
    let waited = wait::until(what, PATIENCE, async || Ok(holds().await)).await;
    waited.map(drop).map_err(|error| error.to_string())
}

fn release(delay: DelayQueue) -> String {
    format!("release.{}", delay.name())
}

fn bound() -> QueueBindOptions {
    QueueBindOptions::default()
}
