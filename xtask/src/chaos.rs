//! `cargo xtask chaos` and `cargo xtask mutants`: faults under load, and a checker that says whether Millrace kept its promise.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;

use crate::trouble::Trouble;
use crate::{cargo, proof};

/// Break servers, connections and programs under load, and have a checker say whether a promise was broken.
///
/// All of it is started for this run: RabbitMQ and PostgreSQL from the programs on this machine, two doors, two workers
/// of each domain. What happens is drawn from the seed before it starts. Exit code: 0 the promise held, 1 it did not or
/// something did not go as planned, 2 it could not be checked, 3 the run hung.
#[derive(Debug, Args)]
pub struct Options {
    /// How many jobs are posted
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    jobs: u64,
    /// What everything is drawn from; left out, any
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How many faults; left out, one for every 125 jobs, but no fewer than 160
    #[arg(long, value_name = "COUNT", conflicts_with = "drill")]
    faults: Option<usize>,
    /// Where history, faults, logs and verdict go
    #[arg(long, value_name = "FOLDER")]
    history: Option<PathBuf>,
    /// Print the schedule and do nothing
    #[arg(long, conflicts_with = "drill")]
    plan: bool,
    /// Instead of the random schedule: worker-kill, postgres-outage, graceful-stop, impatient-stop, slow-stop, blocked,
    /// half-open or soak
    #[arg(long, value_name = "NAME")]
    drill: Option<String>,
    /// How long the drills postgres-outage and soak go on
    #[arg(long, requires = "drill")]
    minutes: Option<f64>,
    /// Break optimized programs, which take more load
    #[arg(long)]
    release: bool,
    /// Further arguments for the program itself, such as `--poison-share 0.01`
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Break one guarantee of Millrace on purpose at a time, and see whether the checker notices.
///
/// Each is caught by one of up to three short campaigns, or survives; exits 1 when any survives.
#[derive(Debug, Args)]
pub struct MutantOptions {
    /// Only those of these names
    names: Vec<String>,
}

pub async fn run(options: Options) -> Result<ExitCode, Trouble> {
    let programs = cargo::build_programs(options.release)?;
    let drill: Vec<&str> = options.drill.iter().flat_map(|name| ["drill", name]).collect();
    let mut chaos = chaos(&drill, &programs, options.history.as_deref())?;
    chaos.args(["--jobs", &options.jobs.to_string()]);
    if let Some(seed) = options.seed {
        chaos.args(["--seed", &seed.to_string()]);
    }
    if let Some(faults) = options.faults {
        chaos.args(["--faults", &faults.to_string()]);
    }
    if options.plan {
        chaos.arg("--plan");
    }
    if let Some(minutes) = options.minutes {
        chaos.args(["--minutes", &minutes.to_string()]);
    }
    chaos.args(&options.arguments);
    proof::outcome(chaos).await
}

pub async fn run_mutants(options: MutantOptions) -> Result<ExitCode, Trouble> {
    let programs = cargo::build_armed_programs()?;
    let mut chaos = chaos(&["mutants"], &programs, Some(&cargo::folder_of_runs()?.join("mutants")))?;
    chaos.args(options.names);
    proof::outcome(chaos).await
}

/// Builds the campaign and its checker.
fn chaos(verb: &[&str], programs: &Path, history: Option<&Path>) -> Result<Command, Trouble> {
    let mut chaos = proof::command("chaos", &["checker"], verb, programs)?;
    chaos.arg("--history").arg(match history {
        Some(history) => history.to_owned(),
        None => cargo::folder_of_runs()?.join("chaos"),
    });
    Ok(chaos)
}
