//! The page of a job in a real browser: Chromium, driven by the keyboard, against a real door and real workers.

mod browser;
mod checks;
mod reader;
mod stage;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::Parser;
use futures_util::FutureExt;
use tracing_subscriber::EnvFilter;

/// Opens the page of a job in Chromium, against a door and workers of its own, and checks what a reader sees.
///
/// Exit code 0: all is as it should be; 1: not so; 2: it could not be checked.
#[derive(Debug, Parser)]
struct Options {
    /// Where screenshots go
    #[arg(long, value_name = "FOLDER", default_value = "target/browser")]
    screenshots: std::path::PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let filter = EnvFilter::try_from_env("LOG_FILTER").unwrap_or_else(|_| EnvFilter::new("error,lapin=off"));
    tracing_subscriber::fmt().with_env_filter(filter).init();
    let browser = match browser::Browser::start().await {
        Ok(browser) => browser,
        Err(trouble) => {
            eprintln!("browser: {trouble}");
            return ExitCode::from(2);
        }
    };
    println!("browser: {}", browser.version);
    // A check that fails panics, as in any test, and says what it saw.
    let reader = reader::Reader::new(browser.client.clone(), options.screenshots);
    let well = AssertUnwindSafe(checks::run(reader)).catch_unwind().await.is_ok();
    browser.close().await;
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
