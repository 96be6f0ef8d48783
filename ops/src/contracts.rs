//! `ops contracts`: whether this release can read what lies in the queues.

mod check;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use millrace_service::Fatal;

/// Whether this release can read what lies in the queues
#[derive(Args)]
pub struct Contracts {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Check(check::Check),
}

impl Contracts {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        match self.action {
            Action::Check(check) => check.run().await,
        }
    }
}
