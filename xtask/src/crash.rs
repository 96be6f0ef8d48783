//! `cargo xtask crash-points`: a program dies at every point of a message's life, and what was promised holds all the same.

use std::process::ExitCode;

use clap::Args;

use crate::trouble::Trouble;
use crate::{cargo, proof};

/// Let the door and the workers die at every point of a message's life, and look at what is left afterwards.
///
/// A case is a point, whether its first, middle or last hit is deadly, how often in a row the program dies, and what
/// becomes of the messages. Each must end with every message handled once. A line for each failure says how to repeat it.
#[derive(Debug, Args)]
pub struct Options {
    /// Only cases whose name contains this, such as `orders/committed/`; may be given several times
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Print the cases and why other combinations don't exist, and run none
    #[arg(long)]
    list: bool,
    /// How many worlds are worked in side by side
    #[arg(long, value_name = "COUNT")]
    worlds: Option<usize>,
}

pub async fn run(options: Options) -> Result<ExitCode, Trouble> {
    // A list needs no programs.
    let programs =
        if options.list { cargo::folder_of_runs()?.join("armed") } else { cargo::build_armed_programs()? };
    let mut crash = proof::command("crash-points", &[], &[], &programs)?;
    crash.arg("--logs").arg(cargo::folder_of_runs()?.join("crash-points"));
    for only in &options.only {
        crash.args(["--only", only]);
    }
    if options.list {
        crash.arg("--list");
    }
    if let Some(worlds) = options.worlds {
        crash.args(["--worlds", &worlds.to_string()]);
    }
    proof::outcome(crash).await
}
