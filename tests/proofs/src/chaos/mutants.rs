//! Checks the checker: the programs break one guarantee at a time, and that must not go unnoticed.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_faults::Mutant;

use crate::chaos::campaign;
use crate::chaos::fault::{Kind, Way};
use crate::chaos::options::MutantOptions;
use crate::chaos::plan::Plan;
use crate::chaos::run::{Run, RunSettings};
use crate::checker::options::{Injections, Workload};
use crate::error::Error;

const SEEDS: u64 = 3;
const TAKES: Duration = Duration::from_secs(22);
const JOBS: u64 = 1000;
/// What can't succeed is tried again after a hundredth of the usual time, so that it ends, or does not, within seconds.
const RETRY_SCALE: f64 = 0.05;
const INJECTIONS: Injections =
    Injections { poison_share: 0.01, duplicate_share: 0.1, quiet_within: Duration::from_secs(60) };
const SLACK: Duration = Duration::from_secs(240);

type Faults = &'static [(Kind, Option<Way>)];

/// Kills of workers come on top of these.
const fn likely_to_show(mutant: Option<Mutant>) -> Faults {
    const WORKERS: Option<Way> = Some(Way::WorkerBroker);
    const APIS: Option<Way> = Some(Way::ApiBroker);
    const DATABASE: Option<Way> = Some(Way::Database);
    match mutant {
        Some(Mutant::AckBeforeCommit | Mutant::PublishBeforeCommit) => &[
            (Kind::SessionsCut, None),
            (Kind::DatabaseKilled, None),
            (Kind::Reset, DATABASE),
            (Kind::TableLocked, None),
        ],
        Some(Mutant::NoConfirms | Mutant::UnknownAsDone) => {
            &[(Kind::BrokerKilled, None), (Kind::FrameCut, WORKERS), (Kind::HoleToServer, WORKERS)]
        }
        Some(Mutant::NackAsAck) => &[(Kind::QueueFull, None)],
        Some(Mutant::AtMostOnceRetries) => &[(Kind::QueueDown, None)],
        Some(Mutant::ReturnIgnored) => &[(Kind::BindingGone, None)],
        Some(Mutant::NewIdsOnRepublish | Mutant::NoRepublish) => {
            &[(Kind::Reset, WORKERS), (Kind::FrameCut, WORKERS), (Kind::CommitCut, DATABASE)]
        }
        Some(Mutant::ErrorSwallowed) => &[(Kind::TableReadOnly, None)],
        Some(Mutant::OutageBurnsAttempts) => {
            &[(Kind::TableHidden, None), (Kind::TableLocked, None), (Kind::DatabaseKilled, None)]
        }
        Some(Mutant::AcceptedBeforeConfirm) => {
            &[(Kind::Reset, APIS), (Kind::FrameCut, APIS), (Kind::BrokerKilled, None)]
        }
        Some(Mutant::NoDedupe | Mutant::KeyWithoutHandler) => &[(Kind::CommitCut, DATABASE)],
        _ => &[(Kind::Delay, DATABASE), (Kind::Reset, WORKERS)],
    }
}

/// How a run with a mutant ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Held,
    Broken(String),
    Unjudged(String),
}

/// Tries all of them, or those of these names, and prints a table.
pub async fn run(options: MutantOptions) -> Result<ExitCode, Error> {
    let chosen: Vec<Mutant> = Mutant::ALL
        .iter()
        .copied()
        .filter(|mutant| options.names.is_empty() || options.names.iter().any(|name| name == mutant.name()))
        .collect();
    let mut lines = Vec::new();
    let mut survivors = 0;
    let mut controls = Controls::default();
    for mutant in chosen {
        let (line, caught) = try_one(mutant, &mut controls, &options).await?;
        println!("mutants: {line}");
        survivors += usize::from(!caught);
        lines.push(line);
    }
    println!("\nmutants");
    for line in &lines {
        println!("  {line}");
    }
    println!("  {} of {} caught", lines.len() - survivors, lines.len());
    Ok(if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The campaigns without any mutant, by their schedules: several mutants have the same.
#[derive(Default)]
struct Controls(Vec<(Faults, u64, Verdict)>);

impl Controls {
    async fn verdict(
        &mut self,
        faults: Faults,
        seed: u64,
        options: &MutantOptions,
    ) -> Result<Verdict, Error> {
        if let Some((.., known)) = self.0.iter().find(|(known, of, _)| *known == faults && *of == seed) {
            return Ok(known.clone());
        }
        let verdict = once(None, faults, seed, options).await?;
        self.0.push((faults, seed, verdict.clone()));
        Ok(verdict)
    }
}

/// Up to three campaigns with the mutant; one without it, on the schedule that caught it, must hold.
async fn try_one(
    mutant: Mutant,
    controls: &mut Controls,
    options: &MutantOptions,
) -> Result<(String, bool), Error> {
    let faults = likely_to_show(Some(mutant));
    let name = mutant.name();
    for seed in 1..=SEEDS {
        let started = Instant::now();
        let reason = match once(Some(mutant), faults, seed, options).await? {
            Verdict::Held => continue,
            Verdict::Broken(reason) => reason,
            Verdict::Unjudged(reason) => return Ok((format!("{name:<24} UNJUDGED: {reason}"), false)),
        };
        let seconds = started.elapsed().as_secs();
        let sound = controls.verdict(faults, seed, options).await?;
        if sound != Verdict::Held {
            return Ok((format!("{name:<24} UNPROVEN: without it, too: {sound:?}"), false));
        }
        return Ok((format!("{name:<24} caught by seed {seed} in {seconds} s: {reason}"), true));
    }
    Ok((format!("{name:<24} SURVIVED {SEEDS} campaigns"), false))
}

async fn once(
    mutant: Option<Mutant>,
    faults: Faults,
    seed: u64,
    options: &MutantOptions,
) -> Result<Verdict, Error> {
    let plan = Plan::of(seed, faults, TAKES);
    let name = mutant.map_or("none", Mutant::name);
    let environment = mutant.map(|mutant| ("MILLRACE_MUTANT".to_owned(), mutant.name().to_owned()));
    let run = Run::start(RunSettings {
        workload: Workload { jobs: JOBS, over: plan.takes(), seed, injections: INJECTIONS },
        programs: options.programs.folder(),
        environment: environment.into_iter().collect(),
        retry_scale: RETRY_SCALE,
        history: options.history.join(format!("{name}-{seed}")),
        says: false,
    })
    .await?;
    let shared = Arc::clone(&run.shared);
    let patience = plan.takes() * 2 + SLACK;
    let Ok(outcome) = tokio::time::timeout(patience, campaign::perform(run, plan)).await else {
        return Ok(Verdict::Broken(format!("the run hung:\n{}", shared.whereabouts())));
    };
    let outcome = outcome?;
    Ok(match outcome.status.code() {
        // A program that was slow to stop is no finding of the checker's.
        Some(0) => Verdict::Held,
        Some(1) => Verdict::Broken(rules(&outcome.verdict)),
        _ => Verdict::Unjudged(format!("the checker ended with {}", outcome.status)),
    })
}

fn rules(verdict: &serde_json::Value) -> String {
    let violations = verdict["violations"].as_array().into_iter().flatten();
    let rules = violations
        .map(|violation| format!("{} ({})", violation["rule"].as_str().unwrap_or("?"), violation["count"]));
    rules.collect::<Vec<_>>().join(", ")
}
