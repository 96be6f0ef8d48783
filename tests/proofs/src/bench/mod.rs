//! The bench: Millrace beside the bare broker and the bare database, in the same run, round after round.

mod ceilings;
mod cost;
mod door;
mod flow;
mod goals;
mod growth;
mod latency;
mod machine;
mod options;
mod orders;
mod plot;
mod profile;
mod report;
mod results;
mod stage;
mod worker;

use std::process::ExitCode;

pub use options::Options;

pub async fn run(options: Options) -> ExitCode {
    match options.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}
