//! Orders whose outcome is waited for: how long that takes from the post, and from the worker's transaction.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millrace_testkit::figures::Durations;
use uuid::Uuid;

use crate::siege::commands;
use crate::siege::stage::{Broken, PATIENCE, Stage};
use crate::siege::verdict::{Trial, Verdict};
use crate::siege::wire::{Client, Request};

const ORDERS: usize = 200;
const P50_MAX: Duration = Duration::from_millis(250);

pub async fn run(stage: &Stage) -> Result<Verdict, Broken> {
    let mut trial = Trial::begin("waited");
    let customer = stage.customer().await?;
    let mut client = Client::of(stage.door(0));
    let (mut whole, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..ORDERS {
        let request =
            Request::job("orders.place", &commands::order(customer), stage.key()).with("Prefer", "wait=5");
        let posted = Instant::now();
        let Some(answer) = client.ask(&request, PATIENCE).await.answer() else {
            trial.find("a post that waits has no answer");
            continue;
        };
        whole.push(posted.elapsed());
        let now = SystemTime::now();
        let job = answer.text("/job_id").and_then(|job| job.parse::<Uuid>().ok());
        match (answer.status(), answer.text("/status").as_deref(), job) {
            (200, Some("succeeded"), Some(job)) => answered.push((job, now)),
            (status, told, _) => {
                trial.find(format!("answered {status}, {told:?}, to an order that is waited for"))
            }
        }
    }
    let since_handled = Durations::of(since_handled(stage, &answered).await?);
    let whole = Durations::of(whole);
    trial.must(whole.p50() <= P50_MAX, || format!("the median is over {} ms", P50_MAX.as_millis()));
    Ok(trial.end(format!(
        "post to outcome: {whole}; to the outcome from handled_at, which the worker's transaction takes before it commits: \
         {since_handled}"
    )))
}

/// How long after `handled_at` each answer was there. Programs, servers and we have the same clock.
async fn since_handled(stage: &Stage, answered: &[(Uuid, SystemTime)]) -> Result<Vec<Duration>, Broken> {
    let mut session = stage.stack.servers.session().await?;
    let mut gaps = Vec::new();
    for (job, at) in answered {
        let handled: f64 = sqlx::query_scalar(
            "SELECT extract(epoch FROM handled_at)::float8 FROM ledger.entries
             WHERE handler = 'orders' AND message_id = $1",
        )
        .bind(job)
        .fetch_one(&mut session)
        .await?;
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        gaps.push(at.saturating_sub(Duration::from_secs_f64(handled)));
    }
    Ok(gaps)
}
