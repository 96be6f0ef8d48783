//! The page of a job in a real browser: Chromium, driven by the keyboard, against a real door and real workers.

mod browser;
mod checks;
mod options;
mod reader;
mod stage;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    match options::Options::parse().run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("browser: {trouble}");
            ExitCode::from(2)
        }
    }
}
