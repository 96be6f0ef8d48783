//! `ops keys`: API keys, as an operator needs them: the first one, and which there are.

mod bootstrap;
mod list;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use millrace_service::Fatal;

/// API keys: making the first one, and listing them
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
