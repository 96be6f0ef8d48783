//! The drills: one kind of trouble applied on purpose, measured, and judged by the same checker.

mod blocked;
mod half_open;
mod killing;
mod outage;
mod soak;
mod stopping;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use millrace_harness::rig::RigError;
use millrace_harness::rig::servers::Servers;

use crate::campaign::{exit_code, hung};
use crate::options::{Drill, RunOptions};
use crate::report;
use crate::run::{Run, RunSettings};
use crate::stage::Stage;

/// Before the trouble begins, and after it is over.
const AROUND: Duration = Duration::from_secs(20);
const SLACK: Duration = Duration::from_secs(300);

/// What a drill found.
#[derive(Debug, Default)]
pub struct Findings {
    lines: Vec<String>,
    failures: Vec<String>,
}

impl Findings {
    /// A figure for the report.
    pub fn note(&mut self, line: String) {
        println!("drill: {line}");
        self.lines.push(line);
    }

    /// Something that must hold.
    pub fn require(&mut self, holds: bool, what: String) {
        if !holds {
            eprintln!("drill: NOT MET: {what}");
            self.failures.push(what);
        }
    }
}

/// Performs a drill.
pub async fn run(drill: Drill, options: &RunOptions) -> Result<ExitCode, RigError> {
    let seed = options.seed();
    let over = takes(drill);
    println!("chaos: {drill:?}, {} jobs over {} s, drawn from seed {seed}", options.jobs, over.as_secs());
    let mut run = Run::start(RunSettings {
        seed,
        over,
        environment: Vec::new(),
        retry_scale: 1.0,
        history: options.history.clone(),
        options: options.clone(),
        says: true,
    })
    .await?;
    println!("chaos: {}", run.servers.description());
    let stage = Arc::clone(&run.stage);
    let patience = over * 2 + options.quiet_within() + SLACK;
    let performed = async {
        let mut found = Ok(Findings::default());
        run.with_progress(async |stage, servers| found = perform(drill, seed, stage, servers).await).await;
        let mut findings = found?;
        let outcome = run.finish().await?;
        soak::growth(drill, &outcome, &mut findings);
        killing::recovery(drill, &outcome, &mut findings);
        Ok::<_, RigError>((findings, outcome))
    };
    let Ok(performed) = tokio::time::timeout(patience, performed).await else {
        return Ok(hung(&stage, patience));
    };
    let (findings, outcome) = performed?;
    let sane = report::resources(&outcome);
    report::recovery(&outcome.verdict);
    report::verdict(&outcome);
    let surprises = stage.surprises();
    println!("\ndrill {drill:?}");
    for line in &findings.lines {
        println!("  {line}");
    }
    for failure in findings.failures.iter().chain(&surprises) {
        println!("  NOT MET: {failure}");
    }
    Ok(exit_code(&outcome, sane && findings.failures.is_empty() && surprises.is_empty()))
}

fn takes(drill: Drill) -> Duration {
    AROUND * 2
        + match drill {
            Drill::PostgresOutage { minutes } | Drill::Soak { minutes } => {
                Duration::from_secs_f64(minutes * 60.0)
            }
            Drill::GracefulStop | Drill::ImpatientStop | Drill::SlowStop => stopping::TAKES,
            Drill::Blocked => blocked::HOLD,
            Drill::HalfOpen => half_open::TAKES,
            Drill::WorkerKill => killing::TAKES,
        }
}

async fn perform(
    drill: Drill,
    seed: u64,
    stage: &Arc<Stage>,
    servers: &mut Servers,
) -> Result<Findings, RigError> {
    let mut findings = Findings::default();
    tokio::time::sleep(AROUND).await;
    match drill {
        Drill::PostgresOutage { minutes } => {
            outage::perform(Duration::from_secs_f64(minutes * 60.0), stage, servers, &mut findings).await?;
        }
        Drill::GracefulStop | Drill::ImpatientStop | Drill::SlowStop => {
            stopping::perform(drill, stage, servers, &mut findings).await?;
        }
        Drill::Blocked => blocked::perform(stage, servers, &mut findings).await?,
        Drill::HalfOpen => half_open::perform(stage, &mut findings).await,
        Drill::WorkerKill => killing::perform(stage).await,
        Drill::Soak { minutes } => {
            let over = Duration::from_secs_f64(minutes * 60.0);
            soak::perform(seed, over, stage, servers, &mut findings).await;
        }
    }
    tokio::time::sleep(AROUND).await;
    Ok(findings)
}
