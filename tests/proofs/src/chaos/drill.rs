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

use crate::chaos::campaign::{exit_code, hung};
use crate::chaos::options::{Drill, Options};
use crate::chaos::report;
use crate::chaos::run::{Run, RunSettings};
use crate::chaos::shared::Shared;
use crate::error::Error;

/// Before the failure begins, and after it is over.
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
pub async fn run(drill: Drill, options: &Options) -> Result<ExitCode, Error> {
    let seed = options.seed();
    let time = options.drill_time();
    let over = AROUND * 2 + takes(drill, time);
    println!("chaos: {drill:?}, {} jobs over {} s, drawn from seed {seed}", options.jobs, over.as_secs());
    let mut run = Run::start(RunSettings {
        workload: options.workload(seed, over),
        programs: options.programs.folder(),
        environment: Vec::new(),
        retry_scale: 1.0,
        history: options.history.clone(),
        says: true,
    })
    .await?;
    println!("chaos: {}", run.servers.description());
    let shared = Arc::clone(&run.shared);
    let patience = over * 2 + options.injections.quiet_within + SLACK;
    let performed = async {
        let mut found = Ok(Findings::default());
        run.with_progress(async |shared, servers| found = perform(drill, time, seed, shared, servers).await)
            .await;
        let mut findings = found?;
        let outcome = run.finish().await?;
        if drill == Drill::Soak {
            soak::growth(time, &outcome, &mut findings);
        }
        killing::recovery(drill, &outcome, &mut findings);
        Ok::<_, Error>((findings, outcome))
    };
    let Ok(performed) = tokio::time::timeout(patience, performed).await else {
        return Ok(hung(&shared, patience));
    };
    let (findings, outcome) = performed?;
    let sane = report::resources(&outcome);
    report::recovery(&outcome.verdict);
    report::verdict(&outcome);
    let surprises = shared.surprises();
    println!("\ndrill {drill:?}");
    for line in &findings.lines {
        println!("  {line}");
    }
    for failure in findings.failures.iter().chain(&surprises) {
        println!("  NOT MET: {failure}");
    }
    Ok(exit_code(&outcome, sane && findings.failures.is_empty() && surprises.is_empty()))
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
) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    tokio::time::sleep(AROUND).await;
    match drill {
        Drill::PostgresOutage => outage::perform(time, shared, servers, &mut findings).await?,
        Drill::GracefulStop | Drill::ImpatientStop | Drill::SlowStop => {
            stopping::perform(drill, shared, servers, &mut findings).await?;
        }
        Drill::Blocked => blocked::perform(shared, servers, &mut findings).await?,
        Drill::HalfOpen => half_open::perform(shared, &mut findings).await,
        Drill::WorkerKill => killing::perform(shared).await,
        Drill::Soak => soak::perform(seed, time, shared, servers, &mut findings).await,
    }
    tokio::time::sleep(AROUND).await;
    Ok(findings)
}
