//! The door under siege: hostile clients, broken servers and secrets that must not get out, against real processes.

mod amqp;
mod batch;
mod blocked;
mod canaries;
mod commands;
mod draw;
mod fuzzed;
mod judge;
mod keys;
mod leaks;
mod options;
mod silent;
mod stage;
mod verdict;
mod waited;
mod wire;

use std::process::ExitCode;

pub use options::Options;

pub async fn run(options: Options) -> ExitCode {
    match options.run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("siege: {error}");
            ExitCode::from(2)
        }
    }
}
