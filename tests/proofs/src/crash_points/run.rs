//! Running the cases: several worlds side by side, a line for each failure, and a table at the end.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use millrace_testkit::services::Services;
use millrace_testkit::services::watchdog::Watchdog;
use tokio::sync::mpsc;
use tokio::task::{JoinError, LocalSet, spawn_local};
use tracing_subscriber::EnvFilter;

use crate::crash_points::cases::{self, Case, Target};
use crate::crash_points::program::Programs;
use crate::crash_points::stack::Stack;
use crate::crash_points::tally::Tally;
use crate::crash_points::{api, poison, tasks, worker};
use crate::error::Error;
use crate::programs::ArmedPrograms;
use crate::report::{Outcome, Scenario, table};

const PROGRESS_EVERY: usize = 50;

/// Lets a program of Millrace die at every point of a message's life, and looks whether what was promised holds: each
/// message comes to its end once, what follows from it is sent, nothing innocent is given up, nothing is left. Then each task
/// of each program panics, which must end the program.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    programs: ArmedPrograms,
    /// Only cases whose name contains this, such as `orders/committed/` or a whole name; may be given several times
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Print the cases and why others don't exist, and run none
    #[arg(long)]
    list: bool,
    /// How many worlds run cases side by side
    #[arg(long, value_name = "COUNT", default_value_t = 4)]
    worlds: usize,
    /// Where the programs' logs go, one file per case; those of cases that passed are removed
    #[arg(long, value_name = "DIRECTORY", default_value = "target/crash-points")]
    logs: PathBuf,
}

/// What became of one case.
struct Ended {
    case: Case,
    outcome: Result<Tally, Vec<String>>,
    took: Duration,
}

/// Whether every case passed.
pub async fn run(options: Options) -> Result<bool, Error> {
    let chosen = |name: &str| options.only.is_empty() || options.only.iter().any(|only| name.contains(only));
    let (exist, left_out): (Vec<_>, Vec<_>) =
        cases::all().filter(|case| chosen(&case.to_string())).partition(|case| case.left_out().is_none());
    let (with_poison, with_tasks) = (chosen(poison::NAME), chosen(tasks::NAME));
    if options.list {
        exist.iter().for_each(|case| println!("{case}"));
        with_poison.then(|| println!("{}", poison::NAME));
        with_tasks.then(|| println!("{}", tasks::NAME));
    }
    print_left_out(&exist, &left_out);
    if options.list {
        return Ok(true);
    }
    if exist.is_empty() && !with_poison && !with_tasks {
        return Err(Error::new("no case is called so", "--list prints all of them"));
    }
    let filter = EnvFilter::try_from_env("LOG_FILTER").unwrap_or_else(|_| EnvFilter::new("error,lapin=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    std::fs::create_dir_all(&options.logs).map_err(Error::file(&options.logs))?;
    let programs = options.programs.folder();
    let programs = Programs { programs, logs: options.logs, watchdog: Arc::new(Watchdog::start()?) };
    // Blocks until they answer, and says where they are.
    let services = tokio::task::block_in_place(Services::shared);
    // Cases wait far more than they compute, so one thread is enough for all of them.
    let all = async {
        let mut outcomes = Vec::new();
        if !exist.is_empty() {
            outcomes.push(report(start(exist, options.worlds, &programs), &programs).await);
        }
        if with_poison {
            outcomes.push(run_poison(&programs).await);
        }
        if with_tasks {
            outcomes.push(tasks::run(&programs).await);
        }
        outcomes
    };
    let outcomes = LocalSet::new().run_until(all).await;
    println!("crash-points: ran on {}", services.description);
    Ok(table("crash-points", &outcomes, "cargo xtask crash-points --only <CASE>"))
}

/// Every world takes the next case that nobody has taken yet.
fn start(cases: Vec<Case>, worlds: usize, programs: &Programs) -> mpsc::UnboundedReceiver<Ended> {
    let waiting = Arc::new(Mutex::new(VecDeque::from(cases)));
    let (sender, results) = mpsc::unbounded_channel();
    for _ in 0..worlds.max(1) {
        let (waiting, sender, programs) = (Arc::clone(&waiting), sender.clone(), programs.clone());
        spawn_local(async move {
            let mut stack = None;
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(case) = next else { break };
                let began = Instant::now();
                let ended = spawn_local(run_one(stack.take(), programs.clone(), case)).await;
                let outcome = match ended {
                    Ok((again, outcome)) => {
                        stack = again;
                        outcome
                    }
                    Err(panicked) => Err(vec![last_words(panicked)]),
                };
                // Whoever reads the results reads all of them.
                let _ = sender.send(Ended { case, outcome, took: began.elapsed() });
            }
            if let Some(stack) = stack {
                stack.close(false).await;
            }
        });
    }
    results
}

/// One case by itself, as it needs the machine for itself.
async fn run_poison(programs: &Programs) -> Outcome {
    let mut scenario = Scenario::begin(poison::NAME);
    let stack = Stack::open().await;
    let outcome = poison::run(&stack, programs).await;
    let closed = spawn_local(stack.close(outcome.is_err())).await;
    scenario.require(closed.is_ok(), || "its world did not end in order".to_owned());
    let Tally { deaths, copies, .. } = outcome.unwrap_or_else(|findings| {
        findings.into_iter().for_each(|finding| scenario.violation(finding));
        Tally::default()
    });
    scenario.end(format!("{deaths} deaths, {copies} copies sent and absorbed"))
}

/// A case that failed takes its world with it, so that the next one begins with nothing.
async fn run_one(
    stack: Option<Stack>,
    programs: Programs,
    case: Case,
) -> (Option<Stack>, Result<Tally, Vec<String>>) {
    let stack = match stack {
        Some(stack) => stack,
        None => Stack::open().await,
    };
    let outcome = match case.target {
        Target::Orders | Target::Payments => worker::run(&stack, &programs, &case).await,
        Target::Api => api::run(&stack, &programs, &case).await,
    };
    if outcome.is_err() {
        // What it left may be in the way of ending it cleanly; that it failed is known already.
        let _ = spawn_local(stack.close(true)).await;
        return (None, outcome);
    }
    stack.forget().await;
    (Some(stack), outcome)
}

fn last_words(panicked: JoinError) -> String {
    match panicked.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
        }
        Err(error) => error.to_string(),
    }
}

/// Prints failures as they come and a table at the end.
async fn report(mut results: mpsc::UnboundedReceiver<Ended>, programs: &Programs) -> Outcome {
    let mut scenario = Scenario::begin("cases");
    let (started, mut passed, mut failed, mut all) = (Instant::now(), 0, 0, Tally::default());
    let mut lines: BTreeMap<(usize, String), BTreeMap<String, usize>> = BTreeMap::new();
    let mut slowest = (Duration::ZERO, String::new());
    while let Some(Ended { case, outcome, took }) = results.recv().await {
        let log = programs.log_of(&case.to_string());
        match outcome {
            Ok(tally) => {
                all += tally;
                passed += 1;
                slowest = slowest.max((took, case.to_string()));
                let outcomes = lines.entry(case.line()).or_default();
                *outcomes.entry(format!("{:?}", case.outcome)).or_default() += 1;
                // It is only a log.
                let _ = std::fs::remove_file(log);
            }
            Err(findings) => {
                failed += 1;
                let failure = format!("--only {case}: {} (log: {})", findings.join("; "), log.display());
                scenario.note(format!("FAILED {failure}"));
                scenario.violation(failure);
            }
        }
        if (passed + failed) % PROGRESS_EVERY == 0 {
            scenario.note(format!("{} cases in {} s", passed + failed, started.elapsed().as_secs()));
        }
    }
    for ((_, point), outcomes) in &lines {
        let cells: Vec<_> = outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
        scenario.note(format!("{point:<28} {}", cells.join(", ")));
    }
    let Tally { deaths, returned, given_back, copies, off_aim } = all;
    scenario.end(format!(
        "{passed} passed, {failed} failed; {deaths} deaths, {returned} messages came back, {given_back} were given back, \
         {copies} copies sent and absorbed; {off_aim} deaths hit another batch than aimed at; slowest: {} ({:.1} s)",
        slowest.1,
        slowest.0.as_secs_f64()
    ))
}

fn print_left_out(exist: &[Case], left_out: &[Case]) {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in left_out.iter().filter_map(Case::left_out) {
        *reasons.entry(reason).or_default() += 1;
    }
    println!("crash-points: {} cases, {} combinations left out", exist.len(), left_out.len());
    for (reason, count) in reasons {
        println!("  {count:>4}  {reason}");
    }
}
