//! From the post to the commit, while orders come in at a fixed rate, whether or not earlier ones are answered.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millrace_testkit::figures::{Durations, real};
use millrace_testkit::stack::Unit;
use serde::Deserialize;
use sqlx::Row;
use sqlx::postgres::PgRow;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::bench::orders;
use crate::bench::results::Results;
use crate::bench::stack::{Bench, LONG_PATIENCE, Ledger};
use crate::error::Error;
use crate::wait::until;

/// What a client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// That its job is accepted.
    Accepted,
    /// Its outcome.
    Outcome,
}

#[derive(Debug, Deserialize)]
struct Posted {
    job_id: Uuid,
}

/// One order: when it was due, and how much later it was answered.
struct Order {
    job_id: Uuid,
    due: SystemTime,
    answered_after: Duration,
}

/// Orders at this rate for this long. Times count from when an order was due, so that one which was held up by those before
/// it counts in full.
pub async fn measure(
    bench: &Bench,
    api: &Unit,
    name: &str,
    (rate, lasting): (f64, Duration),
    answer: Answer,
    results: &mut Results,
) -> Result<(), Error> {
    let orders = post_steadily(bench, api, (rate, lasting), answer).await?;
    let answered = Durations::of(orders.iter().map(|order| order.answered_after));
    let committed = Durations::of(until_committed(bench, &orders).await?);
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    let what = match answer {
        Answer::Accepted => "accepted",
        Answer::Outcome => "outcome",
    };
    for (what, durations) in [(what, answered), ("committed", committed)] {
        results.note(format!("latency.{name}.{what}.p50"), milliseconds(durations.p50()));
        results.note(format!("latency.{name}.{what}.p99"), milliseconds(durations.p99()));
    }
    Ok(())
}

async fn post_steadily(
    bench: &Bench,
    api: &Unit,
    (rate, lasting): (f64, Duration),
    answer: Answer,
) -> Result<Vec<Order>, Error> {
    let (began, interval) = (Instant::now(), Duration::from_secs_f64(1.0 / rate));
    let (mut posts, mut number) = (JoinSet::new(), 0_u32);
    while interval * number < lasting {
        let due = began + interval * number;
        tokio::time::sleep_until(due.into()).await;
        let customer = bench.customers[usize::try_from(number).unwrap_or_default() % bench.customers.len()];
        let mut request = bench
            .http
            .post(format!("http://{}/v1/jobs/orders.place", api.listens))
            .bearer_auth(&bench.secrets.api_key)
            .header("Content-Type", "application/json")
            .body(orders::body(customer));
        if answer == Answer::Outcome {
            request = request.header("Prefer", "wait=5");
        }
        posts.spawn(async move {
            let due_at = SystemTime::now() - due.elapsed();
            let posted: Posted = request.send().await?.error_for_status()?.json().await?;
            Ok::<_, reqwest::Error>(Order {
                job_id: posted.job_id,
                due: due_at,
                answered_after: due.elapsed(),
            })
        });
        number += 1;
    }
    let orders: Result<Vec<_>, _> = posts.join_all().await.into_iter().collect();
    Ok(orders?)
}

/// How long after it was due each order was committed, by the database's commit times. Both use this machine's clock.
async fn until_committed(bench: &Bench, orders: &[Order]) -> Result<Vec<Duration>, Error> {
    let mut session = bench.session(Ledger::Empty).await?;
    let ids: Vec<_> = orders.iter().map(|order| order.job_id).collect();
    let mut rows = Vec::new();
    until("all orders to be committed", LONG_PATIENCE, async || {
        rows = sqlx::query(
            "SELECT message_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at
             FROM ledger.entries WHERE handler = 'orders' AND message_id = ANY ($1)",
        )
        .bind(&ids)
        .fetch_all(&mut session)
        .await?;
        Ok(real(rows.len()) >= real(ids.len()))
    })
    .await?;
    let due: HashMap<_, _> = orders.iter().map(|order| (order.job_id, order.due)).collect();
    let gap = |row: &PgRow| {
        let at = UNIX_EPOCH + Duration::from_secs_f64(row.try_get::<f64, _>("at")?);
        let due = due.get(&row.try_get("message_id")?).copied().unwrap_or(at);
        Ok::<_, sqlx::Error>(at.duration_since(due).unwrap_or_default())
    };
    Ok(rows.iter().map(gap).collect::<Result<_, _>>()?)
}
