//! `proof`: the programs that prove what Millrace promises, one verb each.

mod bench;
mod browser;
mod chaos;
mod checker;
mod cluster;
mod commands;
mod connections;
mod crash_points;
mod error;
mod evidence;
mod history;
mod hostile;
mod invariants;
mod load;
mod mutation;
mod programs;
mod report;
mod siege;
mod verb;
mod wait;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    verb::Verb::parse().run().await
}
