//! The load: the same order over and over, for one of many customers that the orders domain knows.

use std::sync::Arc;

use millrace_broker::{Connection, ConnectionSettings, Outgoing, Publisher};
use millrace_protocol::{ClientId, Envelope, Fingerprint, JobId, Route};
use sqlx::PgConnection;
use url::Url;
use uuid::Uuid;

use crate::bench::stack::PATIENCE;
use crate::commands;
use crate::error::Error;

/// Enough that two batches rarely hold orders of the same customer.
pub const CUSTOMERS: usize = 10_000;
/// What is asked for.
pub const COMMAND: &str = "orders.place";
/// The client that the development key belongs to.
const CLIENT: &str = "dev";
/// How many messages are published in one go before a measurement.
const PRELOAD_CHUNK: usize = 512;

/// Inserts these customers, as their events would have.
pub async fn introduce(session: &mut PgConnection, customers: &[Uuid]) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO orders.customers (user_id, status, version) SELECT unnest($1::uuid[]), 'active', 1",
    )
    .bind(customers)
    .execute(session)
    .await?;
    Ok(())
}

/// The body of a posted order.
pub fn body(customer: Uuid) -> String {
    commands::order(customer).to_string()
}

/// An order's message as the API publishes it.
pub fn message(customer: Uuid) -> Result<Outgoing, Error> {
    let body = body(customer);
    let client = ClientId::parse(CLIENT).map_err(|error| Error::new("preloading orders", error))?;
    let fingerprint = Fingerprint::of(body.as_bytes());
    let envelope = Envelope::of_job(JobId(Uuid::now_v7()), client, COMMAND, 1, fingerprint);
    Ok(Outgoing::new(Route::COMMAND, &envelope, body.into_bytes()))
}

/// Publishes this many orders into the queue.
pub async fn preload(amqp_url: &str, customers: &[Uuid], count: usize) -> Result<(), Error> {
    let url = Url::parse(amqp_url).map_err(|error| Error::new("preloading orders", error))?;
    let connection = Connection::open(ConnectionSettings::new(url, "bench"));
    connection.until_up().await.map_err(|status| Error::new("preloading orders", status))?;
    let publisher = Publisher::open(&connection, 1, PATIENCE);
    let mut customers = customers.iter().cycle();
    let mut left = count;
    while left > 0 {
        let chunk = left.min(PRELOAD_CHUNK);
        let messages: Result<Arc<[_]>, _> = customers.by_ref().take(chunk).map(|it| message(*it)).collect();
        publisher.publish(messages?).await.map_err(|error| Error::new("preloading orders", error))?;
        left -= chunk;
    }
    connection.close().await;
    Ok(())
}
