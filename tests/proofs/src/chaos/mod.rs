//! The fault campaign: breaks whatever Millrace stands on, and Millrace itself, and has the checker judge.

mod campaign;
mod drill;
mod fault;
mod infrastructure;
mod mutants;
mod options;
mod plan;
mod programs;
mod report;
mod run;
mod sampler;
mod shared;

use std::process::ExitCode;

pub use mutants::run as run_mutants;
pub use options::{MutantOptions, Options};

use crate::error::Error;

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    match options.drill {
        None => campaign::run(&options).await,
        Some(drill) => drill::run(drill, &options).await,
    }
}
