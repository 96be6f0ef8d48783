//! The random campaign: the schedule of a seed, performed.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::stack::servers::Servers;

use crate::chaos::infrastructure;
use crate::chaos::options::Options;
use crate::chaos::plan::Plan;
use crate::chaos::programs;
use crate::chaos::report;
use crate::chaos::run::{Hung, Outcome, RunSettings};
use crate::chaos::shared::Shared;
use crate::error::Error;
use crate::report::{Scenario, code, table};

/// There was no verdict.
const UNJUDGED: u8 = 2;
/// The run hung.
const HUNG: u8 = 3;
/// Starting, healing, and everything that takes longer than planned.
pub const SLACK: Duration = Duration::from_secs(300);

/// Draws the schedule and performs it.
pub async fn run(options: &Options) -> Result<ExitCode, Error> {
    let seed = options.seed();
    let plan = Plan::draw(seed, options.faults());
    if options.plan {
        println!("{plan}");
        return Ok(ExitCode::SUCCESS);
    }
    let (jobs, planned, takes) = (options.jobs, plan.faults(), plan.takes());
    println!(
        "chaos: {jobs} jobs and {planned} faults in about {} s, drawn from seed {seed}",
        takes.as_secs()
    );
    let mut scenario = Scenario::begin("campaign");
    let settings = RunSettings::of(options, seed, takes, SLACK);
    let ended = settings.perform(async |shared, servers| both_tracks(shared, servers, plan).await).await?;
    if let Ok(outcome) = &ended {
        let injected: usize = outcome.faults.values().sum();
        let kinds = outcome.faults.len();
        scenario.note(format!("{injected} of {planned} planned faults, {kinds} kinds"));
        scenario.require(injected == planned, || format!("{injected} of {planned} faults were injected"));
    }
    let replay = format!("cargo xtask chaos --jobs {jobs} --faults {planned} --seed {seed}");
    Ok(reported(scenario, &ended, &replay))
}

/// Programs and infrastructure, side by side. What can't be done is a surprise, and no error.
pub async fn both_tracks(shared: &Arc<Shared>, servers: &mut Servers, plan: Plan) -> Result<(), Error> {
    let programs = programs::run(Arc::clone(shared), plan.programs);
    let infrastructure = infrastructure::run(Arc::clone(shared), servers, plan.infrastructure);
    tokio::join!(programs, infrastructure);
    Ok(())
}

/// Reports how the run ended, and gives the exit code for it.
pub fn reported(mut scenario: Scenario, ended: &Result<Outcome, Hung>, repeat: &str) -> ExitCode {
    match ended {
        Ok(outcome) => {
            report::take(outcome, &mut scenario);
            let held = table("chaos", &[scenario.end(outcome.counts.to_string())], repeat);
            if outcome.verdict.is_err() { ExitCode::from(UNJUDGED) } else { code(held) }
        }
        Err(Hung { whereabouts }) => {
            eprintln!("chaos: HUNG; what everybody was doing:\n{whereabouts}");
            ExitCode::from(HUNG)
        }
    }
}
