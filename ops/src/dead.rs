//! `ops dead`: lists dead letters, and redrives them once their cause is removed.

mod list;
mod redrive;

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Command, Subcommand};
use millrace_protocol::{Catalog, DomainName};
use millrace_service::Fatal;

/// Dead letters: messages that no worker will process again
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
    pub async fn run(self, catalog: &Catalog) -> Result<ExitCode, Fatal> {
        match self.action {
            Action::List(list) => list.run(catalog).await,
            Action::Redrive(redrive) => redrive.run(catalog).await,
        }
    }
}

/// Adds the catalog's domains to the help of each argument `domain`, and accepts no others.
pub fn with_domains(dead: Command, catalog: &Catalog) -> Command {
    let names: Vec<_> = catalog.domains().iter().map(|domain| domain.as_str()).collect();
    dead.mut_subcommands(|action| {
        action.mut_arg("domain", |domain| domain.value_parser(PossibleValuesParser::new(&names)))
    })
}

/// The domain with this name, which the arguments' parser has accepted.
fn named(catalog: &Catalog, name: &str) -> Result<DomainName, Fatal> {
    let unknown = || Fatal::Misconfigured(format!("there is no domain `{name}`"));
    catalog.domain(name).ok_or_else(unknown)
}
