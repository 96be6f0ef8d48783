//! The drills: one kind of failure caused on purpose, measured, and judged by the same checker.

mod blocked;
mod half_open;
mod killing;
mod outage;
mod soak;
mod stopping;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::stack::servers::Servers;

use crate::chaos::campaign::{SLACK, reported};
use crate::chaos::options::{Drill, Options};
use crate::chaos::run::RunSettings;
use crate::chaos::shared::Shared;
use crate::error::Error;
use crate::report::Scenario;
use crate::verb::name_of;

/// Before the failure begins, and after it is over.
const AROUND: Duration = Duration::from_secs(20);

pub async fn run(drill: Drill, options: &Options) -> Result<ExitCode, Error> {
    let (seed, time) = (options.seed(), options.drill_time());
    let over = AROUND * 2 + takes(drill, time);
    let name = name_of(drill);
    println!("chaos: {} jobs over {} s, drawn from seed {seed}", options.jobs, over.as_secs());
    let mut scenario = Scenario::begin(&name);
    let settings = RunSettings::of(options, seed, over, SLACK);
    let ended = settings
        .perform(async |shared, servers| perform(drill, time, seed, shared, servers, &mut scenario).await)
        .await?;
    if let Ok(outcome) = &ended {
        match drill {
            Drill::Soak => soak::growth(time, outcome, &mut scenario),
            Drill::WorkerKill => killing::recovery(outcome, &mut scenario),
            _ => {}
        }
    }
    let repeat = format!("cargo xtask chaos --drill {name} --jobs {} --seed {seed}", options.jobs);
    Ok(reported(scenario, &ended, &repeat))
}

fn takes(drill: Drill, time: Duration) -> Duration {
    match drill {
        Drill::PostgresOutage | Drill::Soak => time,
        Drill::GracefulStop | Drill::ImpatientStop | Drill::SlowStop => stopping::TAKES,
        Drill::Blocked => blocked::HOLD,
        Drill::HalfOpen => half_open::TAKES,
        Drill::WorkerKill => killing::TAKES,
    }
}

async fn perform(
    drill: Drill,
    time: Duration,
    seed: u64,
    shared: &Arc<Shared>,
    servers: &mut Servers,
    scenario: &mut Scenario,
) -> Result<(), Error> {
    tokio::time::sleep(AROUND).await;
    match drill {
        Drill::PostgresOutage => outage::perform(time, shared, servers, scenario).await?,
        Drill::GracefulStop | Drill::ImpatientStop | Drill::SlowStop => {
            stopping::perform(drill, shared, servers, scenario).await?;
        }
        Drill::Blocked => blocked::perform(shared, servers, scenario).await?,
        Drill::HalfOpen => half_open::perform(shared, scenario).await,
        Drill::WorkerKill => killing::perform(shared).await,
        Drill::Soak => soak::perform(seed, time, shared, servers, scenario).await,
    }
    tokio::time::sleep(AROUND).await;
    Ok(())
}
