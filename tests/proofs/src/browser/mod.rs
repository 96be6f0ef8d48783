//! The page of a job in a real browser: Chromium, driven by the keyboard, against a real API and real workers.

mod checks;
mod chromium;
mod orders;
mod reader;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

use clap::Args;
use futures_util::FutureExt;
use tracing_subscriber::EnvFilter;

use self::chromium::Browser;
use self::reader::Reader;
use crate::error::Error;

/// Opens the page of a job in Chromium, against an API and workers of its own, and checks what a user sees.
///
/// Exit code 0: all is as it should be; 1: not so; 2: it could not be checked.
#[derive(Debug, Args)]
pub struct Options {
    /// Where screenshots go
    #[arg(long, value_name = "FOLDER", default_value = "target/browser")]
    screenshots: PathBuf,
}

impl Options {
    /// Whether every check passed.
    pub async fn run(self) -> Result<bool, Error> {
        let filter =
            EnvFilter::try_from_env("LOG_FILTER").unwrap_or_else(|_| EnvFilter::new("error,lapin=off"));
        tracing_subscriber::fmt().with_env_filter(filter).init();
        let browser = Browser::start().await?;
        println!("browser: {}", browser.version);
        let reader = Reader::new(browser.client.clone(), self.screenshots);
        // A check that fails panics, as in any test, and says what it saw.
        let checked = AssertUnwindSafe(checks::run(reader)).catch_unwind().await;
        browser.close().await;
        Ok(checked.is_ok())
    }
}
