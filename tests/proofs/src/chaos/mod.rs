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

use millrace_testkit::stack::StackError;

pub use options::{MutantOptions, Options};

pub async fn run(options: Options) -> ExitCode {
    let outcome = match options.drill {
        None => campaign::run(&options).await,
        Some(drill) => drill::run(drill, options.drill_time(), &options.run).await,
    };
    outcome.unwrap_or_else(could_not)
}

pub async fn run_mutants(options: MutantOptions) -> ExitCode {
    mutants::run(&options).await.unwrap_or_else(could_not)
}

fn could_not(error: StackError) -> ExitCode {
    eprintln!("chaos: {error}");
    ExitCode::from(2)
}
