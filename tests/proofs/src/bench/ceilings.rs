//! The ceilings: what broker and database reach without Millrace, on the same machine and with the same durability.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, PublisherConfirm};
use millrace_protocol::exchanges;
use millrace_testkit::figures::real;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::bench::orders;
use crate::bench::results::Results;
use crate::bench::stack::{Bench, Ledger, PATIENCE};
use crate::connections::Broker;
use crate::error::Error;

const QUEUE: &str = "bench";
/// Publishes that wait for their confirm at once, acknowledgements that are sent as one, rows of one statement: as many
/// as in Millrace's own windows and batches.
const WINDOW: usize = 512;
const BATCH: usize = 256;
/// Publishes in flight, as of 64 clients that each wait for their answer.
const CLIENTS: usize = 64;
const COMMITS_FOR: Duration = Duration::from_secs(2);

pub async fn measure(bench: &Bench, messages: usize, results: &mut Results) -> Result<(), Error> {
    broker(bench, messages, results).await?;
    database(bench, messages, results).await
}

/// Publishing with confirms, and consuming with acknowledgements: a quorum queue, one channel, persistent messages that are
/// exactly like an order of the API's. Straight into a queue, one awaited after the other as lapin's own examples have it,
/// and pipelined; and pipelined by the way that an order goes, with as many unconfirmed as 64 clients have who each wait for
/// their answer.
async fn broker(bench: &Bench, messages: usize, results: &mut Results) -> Result<(), Error> {
    let broker = Broker::connect(&bench.servers.amqp_url).await?;
    let channel = &broker.channel;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(QUEUE.into(), options, arguments).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;

    let (straight, as_an_order) = (("", QUEUE), (exchanges::COMMANDS, orders::COMMAND));
    let properties = properties(bench, channel).await?;
    let order = |to| Order { to, body: orders::body(bench.customers[0]), properties: properties.clone() };
    // A warm-up, which finds caches and buffers cold.
    pipeline(channel, &order(straight), (messages, WINDOW)).await?;
    empty(&broker).await?;

    let began = Instant::now();
    publish(channel, &order(straight), (messages, WINDOW)).await?;
    results.note("bare.publish", real(messages) / began.elapsed().as_secs_f64());
    for (name, to, window) in
        [("bare.publish 64", as_an_order, CLIENTS), ("bare.publish pipelined", straight, WINDOW)]
    {
        empty(&broker).await?;
        let began = Instant::now();
        pipeline(channel, &order(to), (messages, window)).await?;
        results.note(name, real(messages) / began.elapsed().as_secs_f64());
    }
    let began = Instant::now();
    consume(channel, messages).await?;
    results.note("bare.consume", real(messages) / began.elapsed().as_secs_f64());
    broker.close().await;
    Ok(())
}

async fn empty(broker: &Broker) -> Result<(), Error> {
    for queue in [QUEUE, millrace_contracts::orders::DOMAIN.as_str()] {
        broker.purge(queue).await?;
    }
    Ok(())
}

/// The message that is published over and over.
struct Order {
    /// Exchange and routing key.
    to: (&'static str, &'static str),
    body: String,
    properties: BasicProperties,
}

impl Order {
    /// Returns the pending confirm once the message is written to the socket.
    async fn publish(&self, channel: &Channel) -> lapin::Result<PublisherConfirm> {
        let (exchange, key) = self.to;
        let id = ShortString::from(Uuid::now_v7().to_string());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = self.properties.clone().with_message_id(id);
        channel.basic_publish(exchange.into(), key.into(), options, self.body.as_bytes(), properties).await
    }
}

/// The properties of an order's message, copied from a real one.
async fn properties(bench: &Bench, channel: &Channel) -> Result<BasicProperties, Error> {
    orders::preload(&bench.servers.amqp_url, &bench.customers, 1).await?;
    let taken = channel.basic_get("orders".into(), BasicGetOptions { no_ack: true }).await?;
    let taken =
        taken.ok_or_else(|| Error::new("taking the order that was just published", "it is not there"))?;
    Ok(taken.delivery.properties)
}

/// Publishes one after the other and awaits the oldest confirm whenever the window is full.
async fn publish(channel: &Channel, order: &Order, (messages, window): (usize, usize)) -> Result<(), Error> {
    let mut unconfirmed = VecDeque::with_capacity(window);
    for _ in 0..messages {
        if unconfirmed.len() >= window
            && let Some(confirm) = unconfirmed.pop_front()
        {
            confirmed(confirm).await?;
        }
        unconfirmed.push_back(order.publish(channel).await?);
    }
    for confirm in unconfirmed {
        confirmed(confirm).await?;
    }
    Ok(())
}

/// As many at once as the window allows, so that lapin writes many with one system call.
async fn pipeline(channel: &Channel, order: &Order, (messages, window): (usize, usize)) -> Result<(), Error> {
    let publishes = stream::iter(0..messages).map(async |_| confirmed(order.publish(channel).await?).await);
    publishes.buffer_unordered(window).try_collect::<()>().await
}

async fn confirmed(confirm: PublisherConfirm) -> Result<(), Error> {
    if confirm.await?.is_ack() {
        Ok(())
    } else {
        Err(Error::new("publishing", "a message was not confirmed"))
    }
}

async fn consume(channel: &Channel, messages: usize) -> Result<(), Error> {
    channel.basic_qos(u16::try_from(WINDOW).unwrap_or(u16::MAX), BasicQosOptions::default()).await?;
    let mut deliveries = channel
        .basic_consume(QUEUE.into(), "bench".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await?;
    for number in 1..=messages {
        let next = tokio::time::timeout(PATIENCE, deliveries.next()).await;
        let delivery = next.ok().flatten().ok_or_else(|| Error::new("consuming", "no delivery came"))??;
        if number % BATCH == 0 || number == messages {
            channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: true }).await?;
        }
    }
    channel.basic_cancel("bench".into(), Default::default()).await?;
    Ok(())
}

/// Rows of an order's size by statements of a batch each, from two connections, each a transaction; and single rows,
/// each a transaction, from two and from sixteen.
async fn database(bench: &Bench, rows: usize, results: &mut Results) -> Result<(), Error> {
    let mut session = bench.session(Ledger::Empty).await?;
    sqlx::raw_sql(
        "DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench;
         CREATE TABLE bench.rows (id uuid PRIMARY KEY, body text NOT NULL)",
    )
    .execute(&mut session)
    .await?;
    let began = Instant::now();
    let halves = [rows / 2, rows - rows / 2];
    let (first, second) = tokio::join!(insert_batches(bench, halves[0]), insert_batches(bench, halves[1]));
    first.and(second)?;
    results.note("bare.rows", real(rows) / began.elapsed().as_secs_f64());
    for sessions in [2, 16] {
        let began = Instant::now();
        let commits = (0..sessions).map(|_| insert_singly(bench));
        let commits: Result<Vec<_>, _> = futures_util::future::join_all(commits).await.into_iter().collect();
        let commits: usize = commits?.into_iter().sum();
        results.note(format!("bare.commits {sessions}"), real(commits) / began.elapsed().as_secs_f64());
    }
    Ok(())
}

async fn insert_batches(bench: &Bench, rows: usize) -> Result<(), Error> {
    let mut session = bench.session(Ledger::Empty).await?;
    let body = orders::body(bench.customers[0]);
    let mut left = rows;
    while left > 0 {
        let batch = left.min(BATCH);
        let ids: Vec<_> = (0..batch).map(|_| Uuid::now_v7()).collect();
        insert(&mut session, &ids, &vec![body.clone(); batch]).await?;
        left -= batch;
    }
    Ok(session.close().await?)
}

async fn insert_singly(bench: &Bench) -> Result<usize, Error> {
    let mut session = bench.session(Ledger::Empty).await?;
    let body = [orders::body(bench.customers[0])];
    let (began, mut commits) = (Instant::now(), 0);
    while began.elapsed() < COMMITS_FOR {
        insert(&mut session, &[Uuid::now_v7()], &body).await?;
        commits += 1;
    }
    session.close().await?;
    Ok(commits)
}

async fn insert(session: &mut PgConnection, ids: &[Uuid], bodies: &[String]) -> Result<(), Error> {
    let sql = "INSERT INTO bench.rows (id, body) SELECT * FROM unnest($1::uuid[], $2::text[])";
    sqlx::query(sql).bind(ids).bind(bodies).execute(session).await?;
    Ok(())
}
