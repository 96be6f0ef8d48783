//! `cargo xtask hostile`: poison and mutated messages against a real worker process.

use std::process::ExitCode;

use clap::Args;

use crate::trouble::Trouble;
use crate::{cargo, proof};

/// Send every kind of poison, and mutated messages by the thousand, to a real orders-worker, and see what becomes of them.
///
/// RabbitMQ and PostgreSQL are started for this run from the programs on this machine. Exit code: 0 every message came
/// to its end with a reason and no healthy one was hurt, 1 not so, 2 it could not be checked.
#[derive(Debug, Args)]
pub struct Options {
    /// How many messages are made by mutation
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    fuzzed: usize,
    /// What they are drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Only kinds of poison whose name has this in it, and nothing else
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

pub async fn run(options: Options) -> Result<ExitCode, Trouble> {
    let programs = cargo::build_programs(false)?;
    let mut hostile = proof::command("hostile", &[], &[], &programs)?;
    hostile.arg("--logs").arg(cargo::folder_of_runs()?.join("hostile"));
    hostile.args(["--fuzzed", &options.fuzzed.to_string(), "--seed", &options.seed.to_string()]);
    if let Some(only) = &options.only {
        hostile.args(["--only", only]);
    }
    proof::outcome(hostile).await
}
