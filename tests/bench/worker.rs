//! A worker by itself: orders that wait in its queue, worked off with ledger, order, confirmed follow-up and acknowledgement.

use std::time::Instant;

use millrace_contracts::Domain;
use millrace_harness::figures::real;

use crate::orders;
use crate::results::Results;
use crate::stage::{Broken, Stage, until};

pub const SUCCEEDED: &str = r#"millrace_messages_total{handler="orders",outcome="succeeded"}"#;

/// Jobs a second, from when the worker is ready, which has begun by then, to the last job.
pub async fn measure(stage: &Stage, jobs: usize, results: &mut Results) -> Result<(), Broken> {
    stage.clear().await?;
    orders::preload(&stage.servers.amqp_url, &stage.customers, jobs).await?;
    let workers = [stage.worker(Domain::Orders, 1).await?];
    let (began, before) = (Instant::now(), stage.counted(&workers, SUCCEEDED).await?);
    until("all orders to be placed", async || Ok(stage.counted(&workers, SUCCEEDED).await? >= real(jobs)))
        .await?;
    results.note("worker", (real(jobs) - before) / began.elapsed().as_secs_f64());
    let [worker] = workers;
    stage.stop(worker).await
}
