//! The load: users registered, orders placed, some cancelled, and one unreadable message, all as any client could do it.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use serde_json::json;
use uuid::Uuid;

use super::settle;
use super::story::{Order, Orders, Story};
use crate::api::ApiClient;
use crate::backends::Backends;
use crate::error::Error;

/// Requests in flight at once.
const CONCURRENCY: usize = 32;
const STEP_DEADLINE: Duration = Duration::from_secs(30);

/// The queue that gets the unreadable message.
const GARBLED_QUEUE: &str = "orders";
const GARBLED: &[u8] = b"{\"user_id\": \"Ada\", this is not JSON";

/// What was posted.
#[derive(Debug, Default)]
pub struct Load {
    /// Every job, each of which must settle.
    pub jobs: Vec<Uuid>,
    /// The jobs that placed an order; the order has the same id.
    pub placed: Vec<(Uuid, Story)>,
}

pub async fn place(api: &ApiClient, backends: &Backends, orders: &Orders) -> Result<Load, Error> {
    let mut load = Load::default();
    let bar = bar(orders.users.len(), "registering users");
    let registered =
        all(&orders.users, &bar, |user| async { api.post("users.register", &user.registration()).await })
            .await?;
    // So that only those orders overtake their user that are meant to.
    settle::quietly(api, &registered, STEP_DEADLINE).await?;
    bar.finish();
    load.jobs.extend(registered);

    let bar = self::bar(orders.orders.len(), "placing orders");
    let placed = all(&orders.orders, &bar, |order| place_one(api, order)).await?;
    bar.finish();
    publish_garbled(backends).await?;
    for posted in placed {
        load.jobs.extend(posted.jobs);
        load.placed.push((posted.order, posted.story));
    }

    let to_cancel: Vec<Uuid> = of_story(&load.placed, Story::CancelledAfterPayment).collect();
    let bar = self::bar(to_cancel.len(), "cancelling paid orders");
    settle::quietly(api, &to_cancel, STEP_DEADLINE).await?;
    let cancelled =
        all(
            &to_cancel,
            &bar,
            |order| async move { api.post("orders.cancel", &json!({"order_id": order})).await },
        )
        .await?;
    bar.finish();
    load.jobs.extend(cancelled);
    Ok(load)
}

pub fn of_story(placed: &[(Uuid, Story)], wanted: Story) -> impl Iterator<Item = Uuid> {
    placed.iter().filter(move |(_, story)| *story == wanted).map(|(order, _)| *order)
}

struct Posted {
    order: Uuid,
    story: Story,
    jobs: Vec<Uuid>,
}

async fn place_one(api: &ApiClient, order: &Order) -> Result<Posted, Error> {
    let job = api.post("orders.place", &order.data).await?;
    let mut jobs = vec![job];
    if order.story == Story::OvertookItsUser {
        until_postponed(api, job).await?;
        jobs.push(api.post("users.register", &order.user.registration()).await?);
    }
    Ok(Posted { order: job, story: order.story, jobs })
}

/// The order is to be seen waiting for its user, not just to be posted earlier.
async fn until_postponed(api: &ApiClient, job: Uuid) -> Result<(), Error> {
    let until = Instant::now() + STEP_DEADLINE;
    loop {
        let view = api.job(job).await?;
        if view.status == "retrying" {
            return Ok(());
        }
        if view.status != "accepted" || Instant::now() > until {
            let reason = format!("it should wait for its user, but is {}", view.status);
            return Err(Error::Http { what: format!("job {job}"), reason });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// As any AMQP client can: straight into a queue, confirmed, without anything that an envelope needs.
async fn publish_garbled(backends: &Backends) -> Result<(), Error> {
    let publish = async {
        let connection =
            Connection::connect(&backends.addresses.amqp_url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (options, properties) =
            (BasicPublishOptions::default(), BasicProperties::default().with_delivery_mode(2));
        channel.basic_publish("".into(), GARBLED_QUEUE.into(), options, GARBLED, properties).await?.await?;
        connection.close(200, "done".into()).await
    };
    publish.await.map_err(Error::amqp("publishing an unreadable message"))
}

/// Runs this for each item, several at once, in the order given.
async fn all<'a, I, T, F>(
    items: &'a [I],
    bar: &ProgressBar,
    one: impl Fn(&'a I) -> F,
) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let count = |done| {
        bar.inc(1);
        done
    };
    stream::iter(items).map(one).buffered(CONCURRENCY).map_ok(count).try_collect().await
}

pub fn bar(length: usize, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("  {msg:<24} {wide_bar:.cyan/dim} {pos:>5}/{len} {elapsed:>4}");
    let bar = ProgressBar::new(length as u64).with_message(what);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
