//! Mutated messages by the thousand, with healthy ones among them.

use std::time::{Duration, Instant};

use millrace_testkit::random::Random;
use uuid::Uuid;

use crate::hostile::good;
use crate::hostile::mutation::mutated;
use crate::hostile::raw::{Client, Refusal};
use crate::hostile::stage::{Broken, Stage};

const QUIET_PATIENCE: Duration = Duration::from_secs(600);
const WINDOW: usize = 500;
/// One in so many is healthy.
const HEALTHY_EVERY: usize = 20;

/// Whether every message ended, the dead ones with a reason, and no healthy one was hurt.
pub async fn run(stage: &mut Stage, count: usize, seed: u64) -> Result<bool, Broken> {
    if count == 0 {
        return Ok(true);
    }
    let restarts = stage.restarts;
    let started = Instant::now();
    let mut client = stage.client().await?;
    let (mut random, mut sent, mut healthy, mut not_taken) =
        (Random::seeded(seed), Vec::new(), Vec::new(), 0);
    for number in 0..count {
        let (id, message) = if number % HEALTHY_EVERY == 0 {
            let id = Uuid::now_v7();
            healthy.push(id);
            (id, good::order(id))
        } else {
            mutated(&mut random, &sent)
        };
        sent.push(id);
        let mut taken = client.send(good::QUEUE, &message).await;
        if taken.is_ok() && number % WINDOW == 0 {
            taken = client.confirmed_all().await;
        }
        if let Err(refusal) = taken {
            // What was sent in the same window may be lost with it, healthy ones included.
            println!("hostile: the broker refused a mutation of seed {seed} near number {number}: {refusal}");
            not_taken += 1;
            client = stage.client().await?;
        }
    }
    client.confirmed_all().await?;
    let quiet = stage.quiet(QUIET_PATIENCE).await?;
    let took = started.elapsed();
    report(stage, &mut client, &Sent { count, seed, healthy, not_taken, quiet, took, restarts }).await
}

struct Sent {
    count: usize,
    seed: u64,
    healthy: Vec<Uuid>,
    not_taken: usize,
    quiet: bool,
    took: Duration,
    restarts: u32,
}

async fn report(stage: &mut Stage, client: &mut Client, sent: &Sent) -> Result<bool, Broken> {
    let dead = letters(stage, client).await?;
    let reasonless = dead.iter().filter(|letter| letter.reason.is_none()).count();
    let by_broker = dead.iter().filter(|letter| letter.by_broker).count();
    let retrying: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger.entries WHERE status = 'retrying'")
        .fetch_one(&mut stage.database)
        .await?;
    let succeeded = stage.succeeded(&sent.healthy).await?;
    let exits = stage.restarts - sent.restarts;
    println!(
        "hostile: {} mutated messages of seed {} ended within {:.1} s ({:.0}/s): {} dead ({by_broker} by the broker, \
         {reasonless} without a reason), {} of {} healthy ones succeeded, {retrying} left retrying, {} not taken, \
         the worker ended {exits} times{}",
        sent.count,
        sent.seed,
        sent.took.as_secs_f64(),
        f64::from(u32::try_from(sent.count).unwrap_or(u32::MAX)) / sent.took.as_secs_f64(),
        dead.len(),
        succeeded,
        sent.healthy.len(),
        sent.not_taken,
        if sent.quiet { "" } else { "; THE QUEUE IS NOT EMPTY" },
    );
    let all_healthy = succeeded == sent.healthy.len();
    Ok(sent.quiet && reasonless == 0 && retrying == 0 && exits == 0 && all_healthy)
}

async fn letters(stage: &Stage, client: &mut Client) -> Result<Vec<crate::hostile::stage::Dead>, Refusal> {
    stage.dead_letters(client).await
}
