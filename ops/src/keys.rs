//! `ops keys`: issues the first API key, and lists all of them.
//!
//! API keys belong to the domain `auth`, which every system built on this one keeps; this is the only command that knows a
//! domain.

mod bootstrap;
mod list;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use millrace_service::Fatal;

/// API keys: issuing the first one, and listing all
#[derive(Args)]
pub struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Bootstrap(Box<bootstrap::Bootstrap>),
    List(list::List),
}

impl Keys {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        match self.action {
            Action::Bootstrap(bootstrap) => bootstrap.run().await,
            Action::List(list) => list.run().await,
        }
    }
}
