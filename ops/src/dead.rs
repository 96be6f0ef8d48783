//! `ops dead`: messages that were given up, and sending them again once what was wrong with them is mended.

mod list;
mod redrive;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use millrace_contracts::{DomainName, catalog};
use millrace_service::Fatal;

/// Messages that were given up
#[derive(Args)]
pub struct Dead {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    List(list::List),
    Redrive(redrive::Redrive),
}

impl Dead {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        match self.action {
            Action::List(list) => list.run().await,
            Action::Redrive(redrive) => redrive.run().await,
        }
    }
}

fn domain(name: &str) -> Result<DomainName, String> {
    catalog().domain(name).ok_or_else(|| {
        format!(
            "expected {}",
            catalog().domains().iter().map(|domain| domain.as_str()).collect::<Vec<_>>().join(", ")
        )
    })
}
