//! The whole flow, all programs running: place → placed → charge → captured → confirmed.

use std::time::Instant;

use millrace_contracts::catalog;
use millrace_testkit::figures::real;
use millrace_testkit::stack::Unit;

use crate::bench::cost::{self, Used};
use crate::bench::results::Results;
use crate::bench::stack::{Bench, LONG_PATIENCE, Ledger};
use crate::bench::{api, worker};
use crate::error::Error;
use crate::wait::until;

/// The messages that are handled for an order: place and captured by orders, placed and charge by payments.
pub const HANDLED_PER_ORDER: usize = 4;
const HANDLED: [&str; 2] =
    [worker::SUCCEEDED, r#"millrace_messages_total{handler="payments",outcome="succeeded"}"#];

/// An API process and a worker of each domain.
pub struct WholeSystem {
    pub units: Vec<Unit>,
}

impl WholeSystem {
    /// Starts them one after the other, and notes how many milliseconds each takes until it is ready.
    pub async fn start(bench: &Bench, results: &mut Results) -> Result<Self, Error> {
        bench.clear(Ledger::Empty).await?;
        let mut began = Instant::now();
        let mut units = vec![bench.api().await?];
        let mut started = |unit: &Unit| {
            let took = std::mem::replace(&mut began, Instant::now()).elapsed();
            results.note(format!("start.{}", cost::name(unit)), took.as_secs_f64() * 1_000.0);
        };
        started(&units[0]);
        for domain in catalog().domains().iter().copied() {
            let worker = bench.worker(domain, 1, Ledger::Empty).await?;
            started(&worker);
            units.push(worker);
        }
        Ok(Self { units })
    }

    pub fn api(&self) -> &Unit {
        &self.units[0]
    }

    async fn handled(&self, bench: &Bench) -> Result<f64, Error> {
        let mut sum = 0.0;
        for line in HANDLED {
            sum += bench.counted(&self.units[1..], line).await?;
        }
        Ok(sum)
    }

    pub async fn stop(self, bench: &Bench) -> Result<(), Error> {
        for unit in self.units {
            bench.stop(unit).await?;
        }
        Ok(())
    }
}

/// Posts orders in one request and waits until the last of them is confirmed; returns the orders per second.
pub async fn measure(
    bench: &Bench,
    system: &WholeSystem,
    orders: usize,
    results: &mut Results,
) -> Result<f64, Error> {
    let (before, handled) = (Used::now(bench, &system.units).await?, system.handled(bench).await?);
    let began = Instant::now();
    api::post_batch(bench, system.api(), orders).await?;
    let due = handled + real(orders * HANDLED_PER_ORDER);
    until("all orders to be confirmed", LONG_PATIENCE, async || Ok(system.handled(bench).await? >= due))
        .await?;
    let took = began.elapsed().as_secs_f64();
    let after = Used::now(bench, &system.units).await?;
    results.note("flow.orders", real(orders) / took);
    results.note("flow.messages", real(orders * HANDLED_PER_ORDER) / took);
    cost::note(results, "flow", &before, &after, real(orders));
    cost::note_memory(results, "flow", &system.units).await;
    Ok(real(orders) / took)
}
