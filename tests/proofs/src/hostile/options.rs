//! What is asked of a run, and its parts in order.

use std::path::PathBuf;

use clap::Args;

use crate::hostile::stage::{Broken, Stage};
use crate::hostile::{fuzzed, named, pace};
use crate::programs::Programs;

/// Sends hostile messages to a real orders-worker on servers of its own, and tells what became of each.
///
/// Exit code 0: every message came to its end with a reason, and no healthy one was hurt; 1: not so; 2: could not be
/// checked.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    programs: Programs,

    /// Where the worker's log goes
    #[arg(long, value_name = "FOLDER", default_value = "target/hostile")]
    logs: PathBuf,

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

impl Options {
    /// Whether all went well.
    pub async fn run(&self) -> Result<bool, Broken> {
        let mut stage = Stage::set(&self.programs.folder(), &self.logs).await?;
        println!("hostile: on {}", stage.description());
        let mut well = named::run(&mut stage, self.only.as_deref()).await?;
        if self.only.is_none() {
            well &= fuzzed::run(&mut stage, self.fuzzed, self.seed).await?;
            pace::run(&mut stage).await?;
        }
        Ok(well)
    }
}
