//! `cargo xtask browser`: the page of a job in a real browser.

use std::process::ExitCode;

use clap::Args;

use crate::trouble::Trouble;
use crate::{cargo, proof};

/// Open the page of a job in Chromium, by keyboard, while real workers handle the job, and check what a reader sees.
///
/// Needs Debian's chromium and chromium-driver, which are installed where they are missing (Debian, as root).
/// Screenshots are in target/browser. Exit code: 0 all is as it should be, 1 not so, 2 it could not be checked.
#[derive(Debug, Args)]
pub struct Options {}

pub async fn run(_: Options) -> Result<ExitCode, Trouble> {
    let mut browser = proof::whole("browser")?;
    browser.arg("--screenshots").arg(cargo::folder_of_runs()?.join("browser"));
    proof::outcome(browser).await
}
