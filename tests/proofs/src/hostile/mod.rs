//! Malformed messages against a real worker process: each must end with a reason, and must not harm any other message.

mod amqp;
mod each_kind;
mod kinds;
mod mutated;
mod mutation;
mod target;
mod throughput;
mod valid;

use std::path::PathBuf;

use clap::Args;

use self::target::Target;
use crate::error::Error;
use crate::programs::Programs;
use crate::report;

/// Sends malformed messages to a real orders-worker on servers of its own, and reports what became of each.
///
/// Exit code 0: every message ended with a reason, and no valid one was harmed; 1: not so; 2: it could not be checked.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    programs: Programs,

    /// Where the worker's log goes
    #[arg(long, value_name = "FOLDER", default_value = "target/hostile")]
    logs: PathBuf,

    /// How many messages are made by mutating valid ones
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    fuzzed: usize,

    /// Seed of the mutations
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Only kinds of poison whose name contains this, and nothing else
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

impl Options {
    /// Whether all held.
    pub async fn run(self) -> Result<bool, Error> {
        let mut target = Target::start(&self.programs.folder(), &self.logs).await?;
        println!("hostile: on {}", target.description());
        let mut outcomes = vec![each_kind::run(&mut target, self.only.as_deref()).await?];
        let mut repeat = "cargo xtask hostile".to_owned();
        if let Some(only) = &self.only {
            repeat += &format!(" --only '{only}'");
        } else {
            outcomes.push(mutated::run(&mut target, self.fuzzed, self.seed).await?);
            outcomes.push(throughput::run(&mut target).await?);
            repeat += &format!(" --fuzzed {} --seed {}", self.fuzzed, self.seed);
        }
        Ok(report::table("hostile", &outcomes, &repeat))
    }
}
