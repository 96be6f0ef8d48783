//! The load: the same order over and over, of one of many customers whom orders know.

use std::sync::Arc;

use millrace_broker::{Connection, ConnectionSettings, Outgoing, Publisher};
use millrace_contracts::{ClientId, Envelope, Fingerprint, JobId, Route};
use sqlx::PgConnection;
use url::Url;
use uuid::Uuid;

use crate::bench::stage::{Broken, PATIENCE};

/// So many that two batches rarely hold orders of the same one.
pub const CUSTOMERS: usize = 10_000;
/// What is asked for.
pub const COMMAND: &str = "orders.place";
/// The name that a door gives to whoever comes with the key for development.
const CLIENT: &str = "dev";
/// How many messages are published in one go before a measurement.
const PRELOAD_CHUNK: usize = 512;

/// Makes these customers known to orders, as their events would have.
pub async fn introduce(session: &mut PgConnection, customers: &[Uuid]) -> Result<(), Broken> {
    sqlx::query(
        "INSERT INTO orders.customers (user_id, status, version) SELECT unnest($1::uuid[]), 'active', 1",
    )
    .bind(customers)
    .execute(session)
    .await?;
    Ok(())
}

/// An order as it is posted.
pub fn body(customer: Uuid) -> String {
    format!(
        r#"{{"user_id":"{customer}","currency":"EUR","lines":[{{"sku":"TEA-EARL-GREY-250","quantity":2,"unit_price_minor":1250}}],"payment_method":"pm_ok"}}"#
    )
}

/// An order as the door publishes it.
pub fn message(customer: Uuid) -> Result<Outgoing, Broken> {
    let body = body(customer);
    let client = ClientId::parse(CLIENT).map_err(|error| Broken::Unexpected(error.to_string()))?;
    let fingerprint = Fingerprint::of(body.as_bytes());
    let envelope = Envelope::of_job(JobId(Uuid::now_v7()), client, COMMAND, 1, fingerprint);
    Ok(Outgoing::new(Route::COMMAND, &envelope, body.into_bytes()))
}

/// Puts so many orders into the queue.
pub async fn preload(amqp_url: &str, customers: &[Uuid], count: usize) -> Result<(), Broken> {
    let url = Url::parse(amqp_url).map_err(|error| Broken::Unexpected(error.to_string()))?;
    let connection = Connection::open(ConnectionSettings::new(url, "bench"));
    connection.until_up().await.map_err(|status| Broken::Unexpected(status.to_string()))?;
    let publisher = Publisher::open(&connection, 1, PATIENCE);
    let mut customers = customers.iter().cycle();
    let mut left = count;
    while left > 0 {
        let chunk = left.min(PRELOAD_CHUNK);
        let messages: Result<Arc<[_]>, _> = customers.by_ref().take(chunk).map(|it| message(*it)).collect();
        publisher.publish(messages?).await.map_err(|error| Broken::Unexpected(error.to_string()))?;
        left -= chunk;
    }
    connection.close().await;
    Ok(())
}
