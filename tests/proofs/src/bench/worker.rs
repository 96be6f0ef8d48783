//! Workers alone: they process orders that wait in the queue, with ledger, order, confirmed follow-up and acknowledgement.

use std::time::Instant;

use futures_util::future::try_join_all;
use millrace_testkit::figures::real;
use millrace_testkit::stack::Unit;

use crate::bench::cost::{self, Used};
use crate::bench::orders;
use crate::bench::results::Results;
use crate::bench::stack::{Bench, LONG_PATIENCE, Ledger};
use crate::error::Error;
use crate::wait::until;

pub const SUCCEEDED: &str = r#"millrace_messages_total{handler="orders",outcome="succeeded"}"#;

/// One measurement: which jobs, on which database, by how many processes.
#[derive(Debug)]
pub struct Work {
    pub name: &'static str,
    pub ledger: Ledger,
    pub processes: usize,
    pub jobs: usize,
}

/// Notes the jobs per second, from when the workers are ready (and have begun) to the last job.
pub async fn measure(bench: &Bench, work: &Work, results: &mut Results) -> Result<(), Error> {
    bench.clear(work.ledger).await?;
    orders::preload(&bench.servers.amqp_url, &bench.customers, work.jobs).await?;
    let started = (1..=work.processes)
        .map(|number| bench.worker(millrace_contracts::orders::DOMAIN, number, work.ledger));
    let workers = try_join_all(started).await?;
    let used = Used::now(bench, &workers).await?;
    let (began, before) = (Instant::now(), bench.counted(&workers, SUCCEEDED).await?);
    until_placed(bench, &workers, work.jobs).await?;
    let took = began.elapsed().as_secs_f64();
    let placed = real(work.jobs) - before;
    results.note(work.name, placed / took);
    if let ([_], Ledger::Empty) = (&workers[..], work.ledger) {
        cost::note(results, work.name, &used, &Used::now(bench, &workers).await?, placed);
    }
    for worker in workers {
        bench.stop(worker).await?;
    }
    Ok(())
}

/// Waits until these workers have placed this many orders.
pub async fn until_placed(bench: &Bench, workers: &[Unit], orders: usize) -> Result<(), Error> {
    let placed = async || Ok(bench.counted(workers, SUCCEEDED).await? >= real(orders));
    until("all orders to be placed", LONG_PATIENCE, placed).await.map(drop)
}
