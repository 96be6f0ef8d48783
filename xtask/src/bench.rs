//! `cargo xtask bench`: Millrace beside the bare broker and the bare database, measured in the same run.

use std::process::ExitCode;

use clap::Args;

use crate::trouble::Trouble;
use crate::{cargo, proof, tool};

/// What posts to the door.
const LOAD_TOOL: &str = "wrk";
/// With fewer, a median says little.
const ROUNDS_WORTH_KEEPING: usize = 5;

/// Measure door, worker and whole flow beside the bare broker and the bare database, round after round in the same run.
///
/// RabbitMQ and PostgreSQL are started for this run from the programs on this machine, with all of their durability. Ratios
/// within the run are what can be compared with other machines. A run of everything, five rounds or more, with optimized
/// programs, writes docs/performance.md and its plot; any other one writes them beside its logs.
#[derive(Debug, Args)]
pub struct Options {
    /// Only this measurement, beside the ceilings: door, worker, growth, flow or latency; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How often each measurement is made
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    rounds: usize,
    /// How many jobs wait for a worker
    #[arg(long, value_name = "COUNT", default_value_t = 60_000)]
    jobs: usize,
    /// How many orders go through the whole flow
    #[arg(long, value_name = "COUNT", default_value_t = 15_000)]
    orders: usize,
    /// How long the door is posted to, for each number of connections
    #[arg(long, value_name = "SECONDS", default_value_t = 4)]
    seconds: u64,
    /// How many rows the large ledger has
    #[arg(long, value_name = "COUNT", default_value_t = 10_000_000)]
    grown: usize,
    /// Say which statements the database's time went into
    #[arg(long)]
    profile: bool,
    /// Measure programs without optimization: only to see that measuring works
    #[arg(long)]
    debug: bool,
}

impl Options {
    fn worth_keeping(&self) -> bool {
        let whole = self.only.is_empty() && self.rounds >= ROUNDS_WORTH_KEEPING;
        whole && !self.debug && !self.profile
    }
}

pub async fn run(options: Options) -> Result<ExitCode, Trouble> {
    tool::need(LOAD_TOOL)?;
    let programs = cargo::build_programs(!options.debug)?;
    let mut bench = if options.debug { proof::whole("bench")? } else { proof::optimized("bench")? };
    let logs = cargo::folder_of_runs()?.join("bench");
    let report = if options.worth_keeping() { cargo::root().join("docs") } else { logs.clone() };
    bench.arg("--programs").arg(programs).arg("--logs").arg(logs).arg("--report").arg(report);
    bench.args(["--rounds", &options.rounds.to_string(), "--jobs", &options.jobs.to_string()]);
    bench.args(["--orders", &options.orders.to_string(), "--seconds", &options.seconds.to_string()]);
    bench.args(["--grown", &options.grown.to_string()]);
    if options.profile {
        bench.arg("--profile");
    }
    for only in &options.only {
        bench.args(["--only", only]);
    }
    proof::outcome(bench).await
}
