//! What is asked of a run, and its scenarios in order.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::programs::Programs;
use crate::siege::stage::{Broken, Stage};
use crate::siege::verdict::{self, Verdict};
use crate::siege::{batch, blocked, canaries, fuzzed, keys, leaks, silent, waited};

/// The order of the run: what measures first, what breaks servers last.
const SCENARIOS: [&str; 8] = ["waited", "silent", "batch", "blocked", "fuzzed", "keys", "leaks", "canaries"];
const LOGS: &str = "info,lapin=error";

/// Besieges two real doors on servers of their own, and tells whether they held.
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
}

impl Options {
    /// Whether all held.
    pub async fn run(&self) -> Result<bool, Broken> {
        let wanted = |name: &&str| self.only.is_empty() || self.only.iter().any(|only| only == name);
        let wanted: Vec<_> = SCENARIOS.into_iter().filter(wanted).collect();
        let mut verdicts = Vec::new();
        let mut stage = None;
        for name in wanted {
            if name == "canaries" {
                // Its own programs say all that they can, and know nothing of earlier scenarios.
                drop(stage.take());
                verdicts.push(canaries::run(&self.programs.folder(), &self.logs.join(name)).await?);
                continue;
            }
            let stage = match &mut stage {
                Some(stage) => stage,
                None => stage.insert(self.stage().await?),
            };
            verdicts.push(self.scenario(name, stage).await?);
        }
        Ok(verdict::table(&verdicts, &self.repeat()))
    }

    async fn stage(&self) -> Result<Stage, Broken> {
        let stage = Stage::set(&self.programs.folder(), &self.logs.join("programs"), LOGS).await?;
        println!("siege: of seed {} on {}", self.seed, stage.stack.servers.description());
        Ok(stage)
    }

    async fn scenario(&self, name: &str, stage: &mut Stage) -> Result<Verdict, Broken> {
        match name {
            "waited" => waited::run(stage).await,
            "silent" => silent::run(stage).await,
            "batch" => batch::run(stage, self.lines).await,
            "blocked" => blocked::run(stage, Duration::from_secs(self.blocked_seconds)).await,
            "fuzzed" => fuzzed::run(stage, self.requests, self.seed).await,
            "keys" => keys::run(stage, self.keys).await,
            _ => leaks::run(stage).await,
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
