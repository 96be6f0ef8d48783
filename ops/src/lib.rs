//! The program `ops`: sets up a broker and a database for Millrace, and shows what is in them.
#![warn(missing_docs)]

mod contracts;
mod database;
mod dead;
mod keys;
mod migrate;
mod probe;
mod program;
mod prune;
mod topology;
mod trail;

use std::process::ExitCode;

use millrace_protocol::Catalog;

#[derive(clap::Subcommand)]
enum Command {
    Migrate(migrate::Migrate),
    Topology(topology::Topology),
    Keys(keys::Keys),
    Contracts(contracts::Contracts),
    Trail(trail::Trail),
    Prune(prune::Prune),
    Dead(dead::Dead),
    Probe(probe::Probe),
}

/// Runs the program `ops` for the domains of a catalog: reads the process's arguments, does what they say and gives the
/// exit code. Exit codes are 0 for done, 1 for failed, 64 for unknown arguments, 78 for settings that can't work; a command
/// may have others, which its `--help` names.
#[must_use]
pub fn run(catalog: &Catalog) -> ExitCode {
    let with_domains =
        |ops: clap::Command| ops.mut_subcommand("dead", |dead| dead::with_domains(dead, catalog));
    program::run(with_domains, async |command| match command {
        Command::Migrate(migrate) => migrate.run().await,
        Command::Topology(topology) => topology.run(catalog).await,
        Command::Keys(keys) => keys.run().await,
        Command::Contracts(contracts) => contracts.run(catalog).await,
        Command::Trail(trail) => trail.run(catalog).await,
        Command::Prune(prune) => prune.run().await,
        Command::Dead(dead) => dead.run(catalog).await,
        Command::Probe(probe) => probe.run().await,
    })
}
