//! `cargo xtask siege`: hostile clients, broken servers and secrets that must not get out, against real doors.

use std::process::ExitCode;

use clap::Args;

use crate::trouble::Trouble;
use crate::{cargo, proof};

/// Besiege two real doors: hostile requests, silent sockets, repeated keys, broken servers, huge batches, and secrets
/// that are looked for afterwards.
///
/// RabbitMQ and PostgreSQL are started for this run from the programs on this machine. Exit code: 0 the doors held, 1
/// not so, 2 it could not be checked.
#[derive(Debug, Args)]
pub struct Options {
    /// Only this scenario: waited, silent, batch, blocked, fuzzed, keys, leaks or canaries; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// What hostile requests are drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many hostile requests
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    requests: usize,
    /// How many idempotency keys, each posted a hundred times at once
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    keys: usize,
    /// How many lines the batch has
    #[arg(long, value_name = "COUNT", default_value_t = 50_000)]
    lines: usize,
    /// For how long the broker takes nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    blocked_seconds: u64,
    /// Besiege optimized programs
    #[arg(long)]
    release: bool,
}

pub async fn run(options: Options) -> Result<ExitCode, Trouble> {
    let programs = cargo::build_programs(options.release)?;
    let mut siege = proof::command("siege", &[], &[], &programs)?;
    siege.arg("--logs").arg(cargo::folder_of_runs()?.join("siege"));
    siege.args(["--seed", &options.seed.to_string()]);
    siege.args(["--requests", &options.requests.to_string(), "--keys", &options.keys.to_string()]);
    siege.args(["--lines", &options.lines.to_string()]);
    siege.args(["--blocked-seconds", &options.blocked_seconds.to_string()]);
    for only in &options.only {
        siege.args(["--only", only]);
    }
    proof::outcome(siege).await
}
