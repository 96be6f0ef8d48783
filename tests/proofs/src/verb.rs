//! The verbs of `proof`.

use std::process::ExitCode;

use clap::Parser;

use crate::{bench, browser, chaos, checker, cluster, crash_points, hostile, siege};

/// Proves what Millrace promises, with real programs on real servers.
#[derive(Debug, Parser)]
#[command(name = "proof", version)]
pub enum Verb {
    Bench(bench::Options),
    Browser(browser::Options),
    Chaos(chaos::Options),
    Checker(checker::Settings),
    Cluster(cluster::Settings),
    CrashPoints(crash_points::Options),
    Hostile(hostile::Options),
    Mutants(chaos::MutantOptions),
    Siege(siege::Options),
}

impl Verb {
    /// Ends with 0 if what was to be shown held, 1 if not, 2 if it could not be tried.
    pub async fn run(self) -> ExitCode {
        match self {
            Self::Bench(options) => bench::run(options).await,
            Self::Browser(options) => browser::run(options).await,
            Self::Chaos(options) => chaos::run(options).await,
            Self::Checker(settings) => checker::run(settings).await,
            Self::Cluster(settings) => cluster::run(settings).await,
            Self::CrashPoints(options) => crash_points::run(options).await,
            Self::Hostile(options) => hostile::run(options).await,
            Self::Mutants(options) => chaos::run_mutants(options).await,
            Self::Siege(options) => siege::run(options).await,
        }
    }
}
