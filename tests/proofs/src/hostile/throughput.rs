//! What poison costs: preloaded batches with and without it, in turns.

use std::time::Duration;

use crate::wait::until;
use millrace_testkit::figures::real;
use uuid::Uuid;

use crate::error::Error;
use crate::hostile::target::Target;
use crate::hostile::valid;
use crate::report::{Outcome, Scenario};

const ROUNDS: usize = 5;
const MESSAGES: usize = 5_000;
/// One message in this many is poison.
const POISON_EVERY: usize = 100;
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures the ratio, and requires none: on a machine that does other things at the same time it would prove nothing.
pub async fn run(target: &mut Target) -> Result<Outcome, Error> {
    let scenario = Scenario::begin("throughput");
    let mut ratios = Vec::new();
    for number in 0..ROUNDS {
        // In turns, so that what the one leaves behind does not always meet the other.
        let poison_first = number % 2 == 1;
        let first = round(target, poison_first).await?;
        let second = round(target, !poison_first).await?;
        let (valid, poisoned) = if poison_first { (second, first) } else { (first, second) };
        println!("  {valid:.0} valid messages/s without poison, {poisoned:.0}/s with 1 %");
        ratios.push(poisoned / valid);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    Ok(scenario.end(format!("with 1 % poison, {median:.2} of the rate without (median of {ROUNDS} rounds)")))
}

/// Valid messages per second.
async fn round(target: &mut Target, poisoned: bool) -> Result<f64, Error> {
    target.stop_worker().await?;
    let mut client = target.client().await?;
    let mut valid_ids = Vec::new();
    for number in 0..MESSAGES {
        let id = Uuid::now_v7();
        let mut message = valid::order(id);
        if poisoned && number % POISON_EVERY == 1 {
            message.body = b"{nonsense".to_vec();
        } else {
            valid_ids.push(id);
        }
        client.send(valid::QUEUE, &message).await?;
    }
    client.confirmed_all().await?;
    target.start_worker().await?;
    until("all valid messages to succeed", PATIENCE, async || {
        Ok(target.succeeded(&valid_ids).await? >= valid_ids.len())
    })
    .await?;
    target.dead_letters(&mut client).await?;
    let seconds: f64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM max(handled_at) - min(handled_at))::float8 FROM ledger.entries
         WHERE handler = 'orders' AND message_id = ANY ($1)",
    )
    .bind(&valid_ids)
    .fetch_one(&mut target.database)
    .await?;
    Ok(real(valid_ids.len()) / seconds.max(0.001))
}
