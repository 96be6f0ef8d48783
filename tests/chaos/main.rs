//! The fault campaign: breaks whatever Millrace stands on, and Millrace itself, and has the checker judge.

mod campaign;
mod dice;
mod drill;
mod fault;
mod infrastructure;
mod judge;
mod mutants;
mod options;
mod plan;
mod programs;
mod report;
mod run;
mod sampler;
mod stage;

use std::process::ExitCode;

use clap::Parser;
use options::Instead;

#[tokio::main]
async fn main() -> ExitCode {
    let options = options::Options::parse();
    let outcome = match &options.instead {
        None => campaign::run(&options).await,
        Some(Instead::Drill(drill)) => drill::run(*drill, &options.run).await,
        Some(Instead::Mutants { names }) => mutants::run(names, &options.run).await,
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("chaos: {error}");
        ExitCode::from(2)
    })
}
