//! One run: everything is started, somebody breaks it, everything is healed, and the verdict is waited for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_testkit::stack::servers::Servers;
use millrace_testkit::stack::{Stack, StackError, StackSettings};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::chaos::infrastructure;
use crate::chaos::judge::{Counts, Judge};
use crate::chaos::options::RunOptions;
use crate::chaos::plan::{DOMAINS, EACH};
use crate::chaos::programs;
use crate::chaos::sampler::{self, Samples};
use crate::chaos::stage::Stage;

const BEGIN_DEADLINE: Duration = Duration::from_secs(60);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// What differs between runs.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// As on the command line.
    pub options: RunOptions,
    /// The folder with Millrace's programs.
    pub programs: PathBuf,
    /// What the load is drawn from.
    pub seed: u64,
    /// Over how long the jobs are spread.
    pub over: Duration,
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
    pub stage: Arc<Stage>,
    /// Who posts, and judges.
    pub judge: Judge,
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
    pub async fn start(settings: RunSettings) -> Result<Self, StackError> {
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
            domains: DOMAINS.map(str::to_owned).to_vec(),
            doors: EACH,
            workers: EACH,
            retry_scale: settings.retry_scale,
            environment: settings.environment.clone(),
        })
        .await?;
        let arguments = arguments(&settings, &stack);
        let Stack { units, reach, watchdog, servers, .. } = stack;
        let stage = Stage::new(units, reach, watchdog, &settings.history)?;
        let mut judge = Judge::start(&arguments, &stage.watchdog)?;
        judge.until_begun(BEGIN_DEADLINE).await?;
        let until_end = CancellationToken::new();
        let sampler = sampler::start(Arc::clone(&stage), &settings.history, until_end.clone())?;
        Ok(Self { stage, judge, servers, settings, started: Instant::now(), sampler, until_end })
    }

    /// Heals everything and waits for the verdict.
    pub async fn finish(mut self) -> Result<Outcome, StackError> {
        self.stage.at("run", "healing everything".to_owned());
        infrastructure::heal(&self.stage, &mut self.servers).await?;
        for unit in &self.stage.units {
            let mut program = Arc::clone(&unit.program).lock_owned().await;
            programs::still_there(&self.stage, &mut program)?;
        }
        let healed = Instant::now();
        self.judge.tell_healed()?;
        self.stage.at("run", "waiting for the verdict".to_owned());
        let status = self.judge.until_ended().await;
        let quiet_after = healed.elapsed();
        self.until_end.cancel();
        let samples = self.sampler.await.map_err(|error| StackError::new("sampling the programs", error))?;
        let verdict = fs::read_to_string(self.settings.history.join("verdict.json")).unwrap_or_default();
        Ok(Outcome {
            status,
            verdict: serde_json::from_str(&verdict).unwrap_or_default(),
            counts: self.judge.counts(),
            samples,
            quiet_after,
            took: self.started.elapsed(),
        })
    }

    /// Does the work, and meanwhile says how far it is.
    pub async fn with_progress(&mut self, work: impl AsyncFnOnce(&Arc<Stage>, &mut Servers)) {
        let Self { stage, judge, servers, settings, started, .. } = self;
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        let mut work = std::pin::pin!(work(stage, servers));
        loop {
            tokio::select! {
                () = &mut work => return,
                _ = ticks.tick() => {
                    if let Some(status) = judge.ended() {
                        stage.surprise(format!("the checker ended in the middle of it ({status})"));
                        return;
                    }
                    if settings.says {
                        println!("{}", progress(started.elapsed(), judge.counts(), stage));
                    }
                }
            }
        }
    }
}

fn progress(elapsed: Duration, counts: Counts, stage: &Stage) -> String {
    let Counts { sent, ok, failed, unknown, settled, .. } = counts;
    let faults: usize = stage.faults().values().sum();
    format!(
        "{:>5} s  jobs {sent:>7} sent {ok:>7} ok {failed:>5} refused {unknown:>5} unknown   {settled:>8} settled   \
         {faults:>4} faults",
        elapsed.as_secs()
    )
}

fn arguments(settings: &RunSettings, stack: &Stack) -> Vec<String> {
    let text = |path: &Path| path.display().to_string();
    let mut arguments = vec!["--door".to_owned()];
    arguments.extend(stack.door_urls());
    let mut give = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    give("--api-key", stack.api_key.clone());
    give("--amqp-url", stack.servers.amqp_url.clone());
    give("--management-url", stack.servers.management_url.clone());
    give("--vhost", stack.servers.vhost.to_owned());
    give("--database-url", stack.servers.database_url.clone());
    give("--jobs", settings.options.jobs.to_string());
    give("--over", settings.over.as_secs_f64().to_string());
    give("--seed", settings.seed.to_string());
    give("--history", text(&settings.history));
    give("--quiet-within", settings.options.quiet_within.to_string());
    if let Some(share) = settings.options.poison_share {
        give("--poison-share", share.to_string());
    }
    if let Some(share) = settings.options.duplicate_share {
        give("--duplicate-share", share.to_string());
    }
    arguments
}
