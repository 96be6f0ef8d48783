//! `proof`: the programs that prove what Millrace promises, one verb each.

mod bench;
mod browser;
mod chaos;
mod checker;
mod cluster;
mod crash_points;
mod hostile;
mod programs;
mod siege;
mod verb;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    verb::Verb::parse().run().await
}
