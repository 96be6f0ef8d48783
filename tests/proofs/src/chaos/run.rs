//! One run: everything is started, somebody breaks it, everything is healed, and the verdict is waited for.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_contracts::catalog;
use millrace_testkit::stack::servers::Servers;
use millrace_testkit::stack::{Stack, StackSettings};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::chaos::fault::Kind;
use crate::chaos::infrastructure;
use crate::chaos::options::Options;
use crate::chaos::plan::EACH;
use crate::chaos::programs;
use crate::chaos::sampler::{self, Samples};
use crate::chaos::shared::Shared;
use crate::checker::options::{Endpoints, Workload};
use crate::checker::{self, Checker, Verdict};
use crate::error::Error;
use crate::load::Counts;

const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// What differs between runs.
#[derive(Debug, Clone)]
pub struct RunSettings {
    pub workload: Workload,
    pub programs: PathBuf,
    /// For every program.
    pub environment: Vec<(String, String)>,
    /// What every retry delay is multiplied by.
    pub retry_scale: f64,
    pub history: PathBuf,
    pub says: bool,
    /// How long it may take; what takes longer hangs.
    pub patience: Duration,
}

#[derive(Debug)]
struct Run {
    shared: Arc<Shared>,
    checker: Checker,
    servers: Servers,
    settings: RunSettings,
    started: Instant,
    sampler: AbortOnDropHandle<Samples>,
    until_end: CancellationToken,
}

#[derive(Debug)]
pub struct Outcome {
    /// What the checker said, or why it could not check.
    pub verdict: Result<Verdict, Error>,
    pub counts: Counts,
    pub samples: Samples,
    /// How many faults there were, of each kind.
    pub faults: BTreeMap<Kind, usize>,
    /// What should not have happened.
    pub surprises: Vec<String>,
    /// From the healing to the verdict.
    pub quiet_after: Duration,
    /// From the first job to the verdict.
    pub took: Duration,
}

/// A run that was not over in time, and what everybody was doing last.
#[derive(Debug)]
pub struct Hung {
    pub whereabouts: String,
}

impl RunSettings {
    /// As the options have it, with this seed, for a load of this length.
    pub fn of(options: &Options, seed: u64, over: Duration, slack: Duration) -> Self {
        Self {
            workload: Workload { jobs: options.jobs, over, seed, injections: options.injections.clone() },
            programs: options.programs.folder(),
            environment: Vec::new(),
            retry_scale: 1.0,
            history: options.history.clone(),
            says: true,
            patience: over * 2 + options.injections.quiet_within + slack,
        }
    }

    /// Starts everything, has it broken by `work`, heals it and has it judged.
    pub async fn perform(
        self,
        work: impl AsyncFnOnce(&Arc<Shared>, &mut Servers) -> Result<(), Error>,
    ) -> Result<Result<Outcome, Hung>, Error> {
        let (patience, says) = (self.patience, self.says);
        let mut run = Run::start(self).await?;
        if says {
            println!("chaos: {}", run.servers.description());
        }
        let shared = Arc::clone(&run.shared);
        let performed = async {
            run.broken_by(work).await?;
            run.finish().await
        };
        match tokio::time::timeout(patience, performed).await {
            Ok(outcome) => outcome.map(Ok),
            Err(_) => Ok(Err(Hung { whereabouts: shared.whereabouts() })),
        }
    }
}

impl Run {
    /// Starts everything, and returns once the checker posts.
    async fn start(settings: RunSettings) -> Result<Self, Error> {
        let RunSettings { history, .. } = &settings;
        fs::create_dir_all(history)?;
        for left in ["verdict.json", "history.jsonl"] {
            // Of a run before; there need not have been one.
            let _ = fs::remove_file(history.join(left));
        }
        let logs = history.join("logs");
        // Likewise.
        let _ = fs::remove_dir_all(&logs);
        let stack = Stack::start(&StackSettings {
            programs: settings.programs.clone(),
            logs,
            domains: catalog().domains().iter().map(ToString::to_string).collect(),
            apis: EACH,
            workers: EACH,
            retry_scale: settings.retry_scale,
            environment: settings.environment.clone(),
        })
        .await?;
        let Stack { units, reach, servers, api_key, .. } = stack;
        let endpoints = Endpoints::new(&units.api_urls(), &api_key, servers.vhost, &servers.addresses())?;
        let shared = Shared::new(units, reach, history)?;
        let checker =
            Checker::start(checker::Options::new(endpoints, settings.workload.clone(), history.clone()))
                .await?;
        let until_end = CancellationToken::new();
        let sampler = sampler::start(Arc::clone(&shared), history, until_end.clone())?;
        Ok(Self { shared, checker, servers, settings, started: Instant::now(), sampler, until_end })
    }

    /// Does the work, and meanwhile says how far it is.
    async fn broken_by(
        &mut self,
        work: impl AsyncFnOnce(&Arc<Shared>, &mut Servers) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Self { shared, checker, servers, settings, started, .. } = self;
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        let mut work = std::pin::pin!(work(shared, servers));
        loop {
            tokio::select! {
                worked = &mut work => return worked,
                _ = ticks.tick() => {
                    if checker.has_ended() {
                        shared.surprise("the checker ended in the middle of it".to_owned());
                        return Ok(());
                    }
                    if settings.says {
                        let faults: usize = shared.faults().values().sum();
                        println!("{:>5} s  {}   {faults:>4} faults", started.elapsed().as_secs(), checker.counts());
                    }
                }
            }
        }
    }

    /// Heals everything and waits for the verdict.
    async fn finish(mut self) -> Result<Outcome, Error> {
        self.shared.at("run", "healing everything".to_owned());
        infrastructure::heal(&self.shared, &mut self.servers).await?;
        for unit in self.shared.units.iter() {
            let mut program = Arc::clone(&unit.program).lock_owned().await;
            programs::still_there(&self.shared, &mut program)?;
        }
        let healed = Instant::now();
        self.shared.at("run", "waiting for the verdict".to_owned());
        let verdict = self.checker.verdict().await;
        let quiet_after = healed.elapsed();
        self.until_end.cancel();
        let samples = self.sampler.await.map_err(|error| Error::new("sampling the programs", error))?;
        Ok(Outcome {
            verdict,
            counts: self.checker.counts(),
            samples,
            faults: self.shared.faults(),
            surprises: self.shared.surprises(),
            quiet_after,
            took: self.started.elapsed(),
        })
    }
}
