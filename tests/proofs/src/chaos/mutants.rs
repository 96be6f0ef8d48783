//! Checks the checker: the programs break one guarantee at a time, and that must not go unnoticed.

use std::time::Duration;

use millrace_faults::Mutant;

use crate::chaos::campaign::both_tracks;
use crate::chaos::fault::{Kind, Way};
use crate::chaos::options::MutantOptions;
use crate::chaos::plan::Plan;
use crate::chaos::run::{Hung, RunSettings};
use crate::checker::options::{Injections, Workload};
use crate::error::Error;
use crate::report::{Outcome, Scenario, table};

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

/// What the checker said of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Judged {
    Held,
    Broken(String),
    Unjudged(String),
}

/// Tries all of them, or those of these names; whether all were caught.
pub async fn run(options: MutantOptions) -> Result<bool, Error> {
    let named =
        |mutant: &&Mutant| options.names.is_empty() || options.names.iter().any(|name| name == mutant.name());
    let (mut outcomes, mut controls) = (Vec::new(), Controls::default());
    for mutant in Mutant::ALL.iter().filter(named) {
        outcomes.push(try_one(*mutant, &mut controls, &options).await?);
    }
    Ok(table("mutants", &outcomes, &format!("cargo xtask mutants {}", options.names.join(" "))))
}

/// The campaigns without any mutant, by their schedules: several mutants have the same.
#[derive(Default)]
struct Controls(Vec<(Faults, u64, Judged)>);

impl Controls {
    async fn judged(&mut self, faults: Faults, seed: u64, options: &MutantOptions) -> Result<Judged, Error> {
        if let Some((.., known)) = self.0.iter().find(|(known, of, _)| *known == faults && *of == seed) {
            return Ok(known.clone());
        }
        let judged = once(None, faults, seed, options).await?;
        self.0.push((faults, seed, judged.clone()));
        Ok(judged)
    }
}

/// Up to three campaigns with the mutant; one without it, on the schedule that caught it, must hold.
async fn try_one(mutant: Mutant, controls: &mut Controls, options: &MutantOptions) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin(mutant.name());
    let faults = likely_to_show(Some(mutant));
    for seed in 1..=SEEDS {
        let reason = match once(Some(mutant), faults, seed, options).await? {
            Judged::Held => continue,
            Judged::Broken(reason) => reason,
            Judged::Unjudged(reason) => {
                scenario.violation(format!("UNJUDGED: {reason}"));
                return Ok(scenario.end(""));
            }
        };
        let sound = controls.judged(faults, seed, options).await?;
        scenario.require(sound == Judged::Held, || format!("UNPROVEN: without it, too: {sound:?}"));
        return Ok(scenario.end(format!("caught by seed {seed}: {reason}")));
    }
    scenario.violation(format!("SURVIVED {SEEDS} campaigns"));
    Ok(scenario.end(""))
}

async fn once(
    mutant: Option<Mutant>,
    faults: Faults,
    seed: u64,
    options: &MutantOptions,
) -> Result<Judged, Error> {
    let plan = Plan::of(seed, faults, TAKES);
    let name = mutant.map_or("none", Mutant::name);
    let environment = mutant.map(|mutant| ("MILLRACE_MUTANT".to_owned(), mutant.name().to_owned()));
    let settings = RunSettings {
        workload: Workload { jobs: JOBS, over: plan.takes(), seed, injections: INJECTIONS },
        programs: options.programs.folder(),
        environment: environment.into_iter().collect(),
        retry_scale: RETRY_SCALE,
        history: options.history.join(format!("{name}-{seed}")),
        says: false,
        patience: plan.takes() * 2 + SLACK,
    };
    let ended = settings.perform(async |shared, servers| both_tracks(shared, servers, plan).await).await?;
    Ok(match ended {
        Err(Hung { whereabouts }) => Judged::Broken(format!("the run hung:\n{whereabouts}")),
        // A program that was slow to stop is no finding of the checker's.
        Ok(outcome) => match outcome.verdict {
            Ok(verdict) if verdict.holds => Judged::Held,
            Ok(verdict) => Judged::Broken(verdict.broken()),
            Err(error) => Judged::Unjudged(error.to_string()),
        },
    })
}
