//! Hostile messages against a real worker process: each must come to an end with a reason, and hurt nobody else.

mod fuzzed;
mod good;
mod kinds;
mod mutation;
mod named;
mod options;
mod pace;
mod raw;
mod stage;

use std::process::ExitCode;

pub use options::Options;

pub async fn run(options: Options) -> ExitCode {
    match options.run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hostile: {error}");
            ExitCode::from(2)
        }
    }
}
