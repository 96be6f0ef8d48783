//! The whole flow, all programs running: place → placed → charge → captured → confirmed.

use std::time::Instant;

use millrace_contracts::catalog;
use millrace_testkit::figures::real;
use millrace_testkit::stack::Unit;

use crate::bench::cost::{self, Used};
use crate::bench::results::Results;
use crate::bench::stage::{Broken, Ledger, Stage, until};
use crate::bench::{door, worker};

/// The messages that are handled for an order: place and captured by orders, placed and charge by payments.
pub const HANDLED_PER_ORDER: usize = 4;
const HANDLED: [&str; 2] =
    [worker::SUCCEEDED, r#"millrace_messages_total{handler="payments",outcome="succeeded"}"#];

/// A door and a worker of each domain.
pub struct Whole {
    pub units: Vec<Unit>,
}

impl Whole {
    /// Starts them one after the other, and notes how many milliseconds each takes until it is ready.
    pub async fn start(stage: &Stage, results: &mut Results) -> Result<Self, Broken> {
        stage.clear(Ledger::Empty).await?;
        let mut began = Instant::now();
        let mut units = vec![stage.door().await?];
        let mut started = |unit: &Unit| {
            let took = std::mem::replace(&mut began, Instant::now()).elapsed();
            results.note(format!("start.{}", cost::name(unit)), took.as_secs_f64() * 1_000.0);
        };
        started(&units[0]);
        for domain in catalog().domains().iter().copied() {
            let worker = stage.worker(domain, 1, Ledger::Empty).await?;
            started(&worker);
            units.push(worker);
        }
        Ok(Self { units })
    }

    pub fn door(&self) -> &Unit {
        &self.units[0]
    }

    async fn handled(&self, stage: &Stage) -> Result<f64, Broken> {
        let mut sum = 0.0;
        for line in HANDLED {
            sum += stage.counted(&self.units[1..], line).await?;
        }
        Ok(sum)
    }

    pub async fn stop(self, stage: &Stage) -> Result<(), Broken> {
        for unit in self.units {
            stage.stop(unit).await?;
        }
        Ok(())
    }
}

/// Orders are posted in one request, and all is over when the last of them is confirmed. Orders a second.
pub async fn measure(
    stage: &Stage,
    whole: &Whole,
    orders: usize,
    results: &mut Results,
) -> Result<f64, Broken> {
    let (before, handled) = (Used::now(stage, &whole.units).await?, whole.handled(stage).await?);
    let began = Instant::now();
    door::post_batch(stage, whole.door(), orders).await?;
    let due = handled + real(orders * HANDLED_PER_ORDER);
    until("all orders to be confirmed", async || Ok(whole.handled(stage).await? >= due)).await?;
    let took = began.elapsed().as_secs_f64();
    let after = Used::now(stage, &whole.units).await?;
    results.note("flow.orders", real(orders) / took);
    results.note("flow.messages", real(orders * HANDLED_PER_ORDER) / took);
    cost::note(results, "flow", &before, &after, real(orders));
    cost::note_memory(results, "flow", &whole.units).await;
    Ok(real(orders) / took)
}
