//! The operator's toolbox: sets Millrace up, and looks into it.
#![warn(missing_docs)]

mod contracts;
mod database;
mod dead;
mod keys;
mod migrate;
mod probe;
mod prune;
mod run;
mod topology;
mod trail;

use std::process::ExitCode;

/// What can be done.
#[derive(clap::Subcommand)]
enum Verb {
    Migrate(migrate::Migrate),
    Topology(topology::Topology),
    Keys(keys::Keys),
    Contracts(contracts::Contracts),
    Trail(trail::Trail),
    Prune(prune::Prune),
    Dead(dead::Dead),
    Probe(probe::Probe),
}

/// The program `ops`, from its arguments to its exit code. A library, so that tests can build it, too.
#[must_use]
pub fn main() -> ExitCode {
    run::run(async |verb| match verb {
        Verb::Migrate(migrate) => migrate.run().await,
        Verb::Topology(topology) => topology.run().await,
        Verb::Keys(keys) => keys.run().await,
        Verb::Contracts(contracts) => contracts.run().await,
        Verb::Trail(trail) => trail.run().await,
        Verb::Prune(prune) => prune.run().await,
        Verb::Dead(dead) => dead.run().await,
        Verb::Probe(probe) => probe.run().await,
    })
}
