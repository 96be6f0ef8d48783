//! The operator's toolbox: sets Millrace up, and looks into it.

mod database;
mod dead;
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
    Trail(trail::Trail),
    Prune(prune::Prune),
    Dead(dead::Dead),
    Probe(probe::Probe),
}

fn main() -> ExitCode {
    run::run(async |verb| match verb {
        Verb::Migrate(migrate) => migrate.run().await,
        Verb::Topology(topology) => topology.run().await,
        Verb::Trail(trail) => trail.run().await,
        Verb::Prune(prune) => prune.run().await,
        Verb::Dead(dead) => dead.run().await,
        Verb::Probe(probe) => probe.run().await,
    })
}
