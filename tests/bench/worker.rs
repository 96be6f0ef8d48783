//! A worker by itself: orders that wait in its queue, worked off with ledger, order, confirmed follow-up and acknowledgement.

use std::time::Instant;

use millrace_contracts::Domain;
use millrace_harness::figures::real;
use millrace_harness::rig::Unit;

use crate::orders;
use crate::results::Results;
use crate::stage::{Broken, Stage, Tables, until};

pub const SUCCEEDED: &str = r#"millrace_messages_total{handler="orders",outcome="succeeded"}"#;

/// Jobs a second, from the first that is done to the last.
pub async fn measure(
    stage: &Stage,
    name: &str,
    jobs: usize,
    processes: usize,
    tables: Tables,
    results: &mut Results,
) -> Result<(), Broken> {
    stage.clear(tables).await?;
    orders::preload(&stage.servers.amqp_url, &stage.customers, jobs).await?;
    let mut workers: Vec<Unit> = Vec::new();
    let (mut began, mut before) = (Instant::now(), 0.0);
    for number in 1..=processes {
        workers.push(stage.worker(Domain::Orders, number, tables).await?);
        if number == processes {
            (began, before) = (Instant::now(), stage.counted(&workers, SUCCEEDED).await?);
        }
    }
    until("all orders to be placed", async || Ok(stage.counted(&workers, SUCCEEDED).await? >= real(jobs)))
        .await?;
    let rate = (real(jobs) - before) / began.elapsed().as_secs_f64();
    results.note(name, rate);
    for worker in workers {
        stage.stop(worker).await?;
    }
    Ok(())
}
