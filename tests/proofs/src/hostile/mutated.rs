//! Mutated messages by the thousand, with valid ones among them.

use std::time::{Duration, Instant};

use millrace_testkit::figures::real;
use millrace_testkit::random::Random;
use uuid::Uuid;

use crate::error::Error;
use crate::hostile::mutation::mutated;
use crate::hostile::target::Target;
use crate::hostile::valid;
use crate::report::{Outcome, Scenario};

const QUIET_PATIENCE: Duration = Duration::from_secs(600);
/// Publishes between two waits for confirms.
const WINDOW: usize = 500;
/// One message in this many is valid.
const VALID_EVERY: usize = 20;

pub async fn run(target: &mut Target, count: usize, seed: u64) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin("mutated");
    let (restarts, started) = (target.restarts, Instant::now());
    let mut client = target.client().await?;
    let (mut random, mut sent, mut valid, mut refused) = (Random::seeded(seed), Vec::new(), Vec::new(), 0);
    for number in 0..count {
        let (id, message) = if number % VALID_EVERY == 0 {
            let id = Uuid::now_v7();
            valid.push(id);
            (id, valid::order(id))
        } else {
            mutated(&mut random, &sent)
        };
        sent.push(id);
        let mut accepted = client.send(valid::QUEUE, &message).await;
        if accepted.is_ok() && number % WINDOW == 0 {
            accepted = client.confirmed_all().await;
        }
        if let Err(refusal) = accepted {
            // What was sent in the same window may be lost with it, valid ones included.
            println!("  the broker refused a mutation near number {number}: {refusal}");
            refused += 1;
            client = target.client().await?;
        }
    }
    client.confirmed_all().await?;
    scenario.require(target.quiet(QUIET_PATIENCE).await?, || "the queue is not empty".to_owned());
    let took = started.elapsed().as_secs_f64();

    let dead = target.dead_letters(&mut client).await?;
    let reasonless = dead.iter().filter(|letter| letter.reason.is_none()).count();
    scenario.require(reasonless == 0, || format!("{reasonless} dead letters without a reason"));
    let retrying: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger.entries WHERE status = 'retrying'")
        .fetch_one(&mut target.database)
        .await?;
    scenario.require(retrying == 0, || format!("{retrying} messages left retrying"));
    let succeeded = target.succeeded(&valid).await?;
    scenario.require(succeeded == valid.len(), || {
        format!("only {succeeded} of {} valid messages succeeded", valid.len())
    });
    let exits = target.restarts - restarts;
    scenario.require(exits == 0, || format!("the worker ended {exits} times"));
    Ok(scenario.end(format!(
        "{count} messages of seed {seed} ({:.0}/s): {} dead, {} of them by the broker; {succeeded} valid ones succeeded; \
         {refused} not accepted by the broker",
        real(count) / took,
        dead.len(),
        dead.iter().filter(|letter| letter.by_broker).count(),
    )))
}
