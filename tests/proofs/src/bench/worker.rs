//! Workers by themselves: orders that wait in the queue, worked off with ledger, order, confirmed follow-up and acknowledgement.

use std::time::Instant;

use futures_util::future::try_join_all;
use millrace_testkit::figures::real;
use millrace_testkit::stack::Unit;

use crate::bench::cost::{self, Used};
use crate::bench::orders;
use crate::bench::results::Results;
use crate::bench::stage::{Broken, Ledger, Stage, until};

pub const SUCCEEDED: &str = r#"millrace_messages_total{handler="orders",outcome="succeeded"}"#;

/// What is worked, by how many processes.
#[derive(Debug)]
pub struct Work {
    pub name: &'static str,
    pub ledger: Ledger,
    pub processes: usize,
    pub jobs: usize,
}

/// Jobs a second, from when the workers are ready, which have begun by then, to the last job.
pub async fn measure(stage: &Stage, work: &Work, results: &mut Results) -> Result<(), Broken> {
    stage.clear(work.ledger).await?;
    orders::preload(&stage.servers.amqp_url, &stage.customers, work.jobs).await?;
    let started = (1..=work.processes)
        .map(|number| stage.worker(millrace_contracts::orders::DOMAIN, number, work.ledger));
    let workers = try_join_all(started).await?;
    let used = Used::now(stage, &workers).await?;
    let (began, before) = (Instant::now(), stage.counted(&workers, SUCCEEDED).await?);
    until_placed(stage, &workers, work.jobs).await?;
    let took = began.elapsed().as_secs_f64();
    let placed = real(work.jobs) - before;
    results.note(work.name, placed / took);
    if let ([_], Ledger::Empty) = (&workers[..], work.ledger) {
        cost::note(results, work.name, &used, &Used::now(stage, &workers).await?, placed);
    }
    for worker in workers {
        stage.stop(worker).await?;
    }
    Ok(())
}

/// Waits until these workers have placed so many orders.
pub async fn until_placed(stage: &Stage, workers: &[Unit], orders: usize) -> Result<(), Broken> {
    let placed = async || Ok(stage.counted(workers, SUCCEEDED).await? >= real(orders));
    until("all orders to be placed", placed).await.map(drop)
}
