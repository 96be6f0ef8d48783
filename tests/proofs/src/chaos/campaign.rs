//! The random campaign: the schedule of a seed, performed.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::stack::StackError;

use crate::chaos::infrastructure;
use crate::chaos::options::{Options, RunOptions};
use crate::chaos::plan::Plan;
use crate::chaos::programs;
use crate::chaos::report;
use crate::chaos::run::{Outcome, Run, RunSettings};
use crate::chaos::stage::Stage;

/// The run hung.
const HUNG: u8 = 3;
/// Starting, healing, and everything that takes longer than planned.
const SLACK: Duration = Duration::from_secs(300);

/// Draws the schedule and performs it.
pub async fn run(options: &Options) -> Result<ExitCode, StackError> {
    let seed = options.run.seed();
    let plan = Plan::draw(seed, options.faults());
    if options.plan {
        println!("{plan}");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "chaos: {} jobs and {} faults in about {} s, drawn from seed {seed}",
        options.run.jobs,
        plan.faults(),
        plan.takes().as_secs()
    );
    let settings = RunSettings {
        seed,
        over: plan.takes(),
        environment: Vec::new(),
        retry_scale: 1.0,
        history: options.run.history.clone(),
        programs: options.run.programs.folder(),
        options: options.run.clone(),
        says: true,
    };
    let planned = plan.faults();
    let run = Run::start(settings).await?;
    println!("chaos: {}", run.servers.description());
    let stage = Arc::clone(&run.stage);
    let patience = plan.takes() * 2 + options.run.quiet_within() + SLACK;
    let Ok(outcome) = tokio::time::timeout(patience, perform(run, plan)).await else {
        return Ok(hung(&stage, patience));
    };
    let outcome = outcome?;
    let replay = replay(&options.run, seed, planned);
    let good = report::campaign(&stage, &outcome, planned, &replay);
    Ok(exit_code(&outcome, good))
}

/// Both tracks, then the verdict.
pub async fn perform(mut run: Run, plan: Plan) -> Result<Outcome, StackError> {
    run.with_progress(async |stage, servers| {
        let programs = programs::run(Arc::clone(stage), plan.programs);
        let infrastructure = infrastructure::run(Arc::clone(stage), servers, plan.infrastructure);
        tokio::join!(programs, infrastructure);
    })
    .await;
    run.finish().await
}

/// Says where everybody was, and gives the exit code for it.
pub fn hung(stage: &Stage, patience: Duration) -> ExitCode {
    let whereabouts = stage.whereabouts();
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

fn replay(options: &RunOptions, seed: u64, faults: usize) -> String {
    format!("cargo xtask chaos --jobs {} --faults {faults} --seed {seed}", options.jobs)
}
