//! The page of a job in a real browser: Chromium, driven by the keyboard, against a real door and real workers.

mod checks;
mod chromium;
mod options;
mod reader;
mod stage;

use std::process::ExitCode;

pub use options::Options;

pub async fn run(options: Options) -> ExitCode {
    match options.run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("browser: {error}");
            ExitCode::from(2)
        }
    }
}
