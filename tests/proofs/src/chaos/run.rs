//! One run: everything is started, somebody breaks it, everything is healed, and the verdict is waited for.

use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_contracts::catalog;
use millrace_testkit::stack::servers::Servers;
use millrace_testkit::stack::{Stack, StackSettings};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::chaos::infrastructure;
use crate::chaos::plan::EACH;
use crate::chaos::programs;
use crate::chaos::sampler::{self, Samples};
use crate::chaos::shared::Shared;
use crate::checker::options::{Endpoints, Workload};
use crate::checker::process::{Checker, Counts};
use crate::error::Error;

const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// What differs between runs.
#[derive(Debug, Clone)]
pub struct RunSettings {
    pub workload: Workload,
    /// The folder with Millrace's programs.
    pub programs: PathBuf,
    /// For every program.
    pub environment: Vec<(String, String)>,
    /// What every retry delay is multiplied by.
    pub retry_scale: f64,
    /// Where this run writes.
    pub history: PathBuf,
    /// Whether progress is printed.
    pub says: bool,
}

/// A run under way.
#[derive(Debug)]
pub struct Run {
    /// The programs and the ways between.
    pub shared: Arc<Shared>,
    /// What posts, and judges.
    pub checker: Checker,
    /// What else may be broken.
    pub servers: Servers,
    settings: RunSettings,
    started: Instant,
    sampler: JoinHandle<Samples>,
    until_end: CancellationToken,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// How the checker ended: 0 held, 1 violated.
    pub status: ExitStatus,
    /// What it wrote.
    pub verdict: Value,
    /// What it counted last.
    pub counts: Counts,
    /// What the programs held.
    pub samples: Samples,
    /// From the healing to the verdict.
    pub quiet_after: Duration,
    /// From the first job to the verdict.
    pub took: Duration,
}

impl Run {
    /// Starts everything, and returns once the checker posts.
    pub async fn start(settings: RunSettings) -> Result<Self, Error> {
        fs::create_dir_all(&settings.history)?;
        for left in ["verdict.json", "history.jsonl"] {
            // Of a run before; there need not have been one.
            let _ = fs::remove_file(settings.history.join(left));
        }
        let logs = settings.history.join("logs");
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
        let servers = &stack.servers;
        let endpoints =
            Endpoints::new(&stack.api_urls(), &stack.api_key, servers.vhost, &servers.addresses())?;
        let Stack { units, reach, watchdog, servers, .. } = stack;
        let shared = Shared::new(units, reach, watchdog, &settings.history)?;
        let RunSettings { workload, history, .. } = &settings;
        let checker = Checker::start(&endpoints, workload, history, &shared.watchdog).await?;
        let until_end = CancellationToken::new();
        let sampler = sampler::start(Arc::clone(&shared), &settings.history, until_end.clone())?;
        Ok(Self { shared, checker, servers, settings, started: Instant::now(), sampler, until_end })
    }

    /// Heals everything and waits for the verdict.
    pub async fn finish(mut self) -> Result<Outcome, Error> {
        self.shared.at("run", "healing everything".to_owned());
        infrastructure::heal(&self.shared, &mut self.servers).await?;
        for unit in &self.shared.units {
            let mut program = Arc::clone(&unit.program).lock_owned().await;
            programs::still_there(&self.shared, &mut program)?;
        }
        let healed = Instant::now();
        self.shared.at("run", "waiting for the verdict".to_owned());
        let status = self.checker.verdict().await?;
        let quiet_after = healed.elapsed();
        self.until_end.cancel();
        let samples = self.sampler.await.map_err(|error| Error::new("sampling the programs", error))?;
        let verdict = fs::read_to_string(self.settings.history.join("verdict.json")).unwrap_or_default();
        Ok(Outcome {
            status,
            verdict: serde_json::from_str(&verdict).unwrap_or_default(),
            counts: self.checker.counts(),
            samples,
            quiet_after,
            took: self.started.elapsed(),
        })
    }

    /// Does the work, and meanwhile says how far it is.
    pub async fn with_progress(&mut self, work: impl AsyncFnOnce(&Arc<Shared>, &mut Servers)) {
        let Self { shared, checker, servers, settings, started, .. } = self;
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        let mut work = std::pin::pin!(work(shared, servers));
        loop {
            tokio::select! {
                () = &mut work => return,
                _ = ticks.tick() => {
                    if let Some(status) = checker.ended() {
                        shared.surprise(format!("the checker ended in the middle of it ({status})"));
                        return;
                    }
                    if settings.says {
                        println!("{}", progress(started.elapsed(), checker.counts(), shared));
                    }
                }
            }
        }
    }
}

fn progress(elapsed: Duration, counts: Counts, shared: &Shared) -> String {
    let Counts { sent, ok, failed, unknown, settled, .. } = counts;
    let faults: usize = shared.faults().values().sum();
    format!(
        "{:>5} s  jobs {sent:>7} sent {ok:>7} ok {failed:>5} refused {unknown:>5} unknown   {settled:>8} settled   \
         {faults:>4} faults",
        elapsed.as_secs()
    )
}
