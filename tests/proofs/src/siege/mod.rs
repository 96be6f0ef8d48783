//! Abuse of the HTTP API: malformed requests, silent sockets, broken servers and secrets that must not leak, against real
//! processes.

mod answer_rules;
mod batch;
mod blocked;
mod canaries;
mod fuzzed;
mod http;
mod keys;
mod leaks;
mod requests;
mod silent;
mod target;
mod waited;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use self::target::Target;
use crate::error::Error;
use crate::programs::Programs;
use crate::report::{self, Outcome};

/// The order of the run: what measures first, what breaks servers last.
const SCENARIOS: [&str; 8] = ["waited", "silent", "batch", "blocked", "fuzzed", "keys", "leaks", "canaries"];
const LOGS: &str = "info,lapin=error";

/// Abuses the HTTP API of two real processes on servers of their own, and reports whether it held.
///
/// Exit code: 0 all held, 1 some did not, 2 it could not be checked.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    programs: Programs,
    /// Where the programs' logs go
    #[arg(long, value_name = "FOLDER", default_value = "target/siege")]
    logs: PathBuf,
    /// Only these scenarios
    #[arg(long, value_name = "NAME", value_parser = SCENARIOS)]
    only: Vec<String>,
    /// Seed of the malformed requests
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many malformed requests
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    requests: usize,
    /// How many idempotency keys, each posted a hundred times at once
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    keys: usize,
    /// How many lines the batch has
    #[arg(long, value_name = "COUNT", default_value_t = 50_000)]
    lines: usize,
    /// For how long the broker accepts nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    blocked_seconds: u64,
}

impl Options {
    /// Whether all held.
    pub async fn run(self) -> Result<bool, Error> {
        let wanted = |name: &&str| self.only.is_empty() || self.only.iter().any(|only| only == name);
        let wanted: Vec<_> = SCENARIOS.into_iter().filter(wanted).collect();
        let mut outcomes = Vec::new();
        let mut target = None;
        for name in wanted {
            if name == "canaries" {
                // Its programs log as much as they can, and know nothing of earlier scenarios.
                drop(target.take());
                outcomes.push(canaries::run(&self.programs.folder(), &self.logs.join(name)).await?);
                continue;
            }
            let target = match &mut target {
                Some(target) => target,
                None => target.insert(self.target().await?),
            };
            outcomes.push(self.scenario(name, target).await?);
        }
        Ok(report::table("siege", &outcomes, &self.repeat()))
    }

    async fn target(&self) -> Result<Target, Error> {
        let target = Target::start(&self.programs.folder(), &self.logs.join("programs"), LOGS).await?;
        println!("siege: seed {} on {}", self.seed, target.stack.servers.description());
        Ok(target)
    }

    async fn scenario(&self, name: &str, target: &mut Target) -> Result<Outcome, Error> {
        match name {
            "waited" => waited::run(target).await,
            "silent" => silent::run(target).await,
            "batch" => batch::run(target, self.lines).await,
            "blocked" => blocked::run(target, Duration::from_secs(self.blocked_seconds)).await,
            "fuzzed" => fuzzed::run(target, self.requests, self.seed).await,
            "keys" => keys::run(target, self.keys).await,
            _ => leaks::run(target).await,
        }
    }

    fn repeat(&self) -> String {
        let only = self.only.iter().map(|only| format!(" --only {only}")).collect::<String>();
        format!(
            "cargo xtask siege --seed {} --requests {} --keys {} --lines {} --blocked-seconds {}{only}",
            self.seed, self.requests, self.keys, self.lines, self.blocked_seconds
        )
    }
}
