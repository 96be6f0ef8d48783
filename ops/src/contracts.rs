//! `ops contracts`: whether this release can decode the messages in the queues.

mod check;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use millrace_protocol::Catalog;
use millrace_service::Fatal;

/// Whether this release can decode the messages in the queues
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
    pub async fn run(self, catalog: &Catalog) -> Result<ExitCode, Fatal> {
        match self.action {
            Action::Check(check) => check.run(catalog).await,
        }
    }
}
