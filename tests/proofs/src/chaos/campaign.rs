//! The random campaign: the schedule of a seed, performed.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::chaos::infrastructure;
use crate::chaos::options::Options;
use crate::chaos::plan::Plan;
use crate::chaos::programs;
use crate::chaos::report;
use crate::chaos::run::{Outcome, Run, RunSettings};
use crate::chaos::shared::Shared;
use crate::error::Error;

/// The run hung.
const HUNG: u8 = 3;
/// Starting, healing, and everything that takes longer than planned.
const SLACK: Duration = Duration::from_secs(300);

/// Draws the schedule and performs it.
pub async fn run(options: &Options) -> Result<ExitCode, Error> {
    let seed = options.seed();
    let plan = Plan::draw(seed, options.faults());
    if options.plan {
        println!("{plan}");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "chaos: {} jobs and {} faults in about {} s, drawn from seed {seed}",
        options.jobs,
        plan.faults(),
        plan.takes().as_secs()
    );
    let settings = RunSettings {
        workload: options.workload(seed, plan.takes()),
        programs: options.programs.folder(),
        environment: Vec::new(),
        retry_scale: 1.0,
        history: options.history.clone(),
        says: true,
    };
    let planned = plan.faults();
    let run = Run::start(settings).await?;
    println!("chaos: {}", run.servers.description());
    let shared = Arc::clone(&run.shared);
    let patience = plan.takes() * 2 + options.injections.quiet_within + SLACK;
    let Ok(outcome) = tokio::time::timeout(patience, perform(run, plan)).await else {
        return Ok(hung(&shared, patience));
    };
    let outcome = outcome?;
    let replay = format!("cargo xtask chaos --jobs {} --faults {planned} --seed {seed}", options.jobs);
    let good = report::campaign(&shared, &outcome, planned, &replay);
    Ok(exit_code(&outcome, good))
}

/// Both tracks, then the verdict.
pub async fn perform(mut run: Run, plan: Plan) -> Result<Outcome, Error> {
    run.with_progress(async |shared, servers| {
        let programs = programs::run(Arc::clone(shared), plan.programs);
        let infrastructure = infrastructure::run(Arc::clone(shared), servers, plan.infrastructure);
        tokio::join!(programs, infrastructure);
    })
    .await;
    run.finish().await
}

/// Says where everybody was, and gives the exit code for it.
pub fn hung(shared: &Shared, patience: Duration) -> ExitCode {
    let whereabouts = shared.whereabouts();
    eprintln!(
        "chaos: HUNG: not over after {} s; what everybody was doing:\n{whereabouts}",
        patience.as_secs()
    );
    ExitCode::from(HUNG)
}

/// What the checker said, unless something else went wrong.
pub fn exit_code(outcome: &Outcome, good: bool) -> ExitCode {
    match outcome.status.code() {
        Some(0) if good => ExitCode::SUCCESS,
        Some(2) | None => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}
