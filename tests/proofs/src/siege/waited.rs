//! Orders whose clients wait for the outcome: how long that takes from the post, and from the worker's transaction.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millrace_testkit::figures::Durations;
use uuid::Uuid;

use crate::commands;
use crate::error::Error;
use crate::report::{Outcome, Scenario};
use crate::siege::http::{Client, Request};
use crate::siege::target::{PATIENCE, Target};

const ORDERS: usize = 200;
const P50_MAX: Duration = Duration::from_millis(250);

pub async fn run(target: &Target) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin("waited");
    let customer = target.customer().await?;
    let mut client = Client::of(target.api(0));
    let (mut whole, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..ORDERS {
        let request =
            Request::job("orders.place", &commands::order(customer), target.key()).with("Prefer", "wait=5");
        let posted = Instant::now();
        let Some(answer) = client.send(&request, PATIENCE).await.answer() else {
            scenario.violation("a post that waits has no answer");
            continue;
        };
        whole.push(posted.elapsed());
        let now = SystemTime::now();
        let job = answer.text("/job_id").and_then(|job| job.parse::<Uuid>().ok());
        match (answer.status(), answer.text("/status").as_deref(), job) {
            (200, Some("succeeded"), Some(job)) => answered.push((job, now)),
            (status, seen, _) => scenario.violation(format!(
                "answered {status}, {seen:?}, to an order that is whose outcome was requested"
            )),
        }
    }
    let since_handled = Durations::of(since_handled(target, &answered).await?);
    let whole = Durations::of(whole);
    scenario.require(whole.p50() <= P50_MAX, || format!("the median is over {} ms", P50_MAX.as_millis()));
    Ok(scenario.end(format!(
        "post to outcome: {whole}; to the outcome from handled_at, which the worker's transaction takes before it commits: \
         {since_handled}"
    )))
}

/// How long after `handled_at` each answer arrived. All processes share this machine's clock.
async fn since_handled(target: &Target, answered: &[(Uuid, SystemTime)]) -> Result<Vec<Duration>, Error> {
    let mut session = target.stack.servers.session().await?;
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
