//! The verbs of `proof`.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::error::Error;
use crate::report::code;
use crate::{bench, browser, chaos, checker, cluster, crash_points, hostile, siege};

/// Exit code of a proof that could not be carried out.
const NOT_TRIED: u8 = 2;

/// Proves what Millrace promises, with real programs on real servers.
#[derive(Debug, Parser)]
#[command(name = "proof", version)]
pub enum Verb {
    Bench(bench::Options),
    Browser(browser::Options),
    Chaos(chaos::Options),
    Checker(Box<checker::Options>),
    Cluster(cluster::Options),
    CrashPoints(crash_points::Options),
    Hostile(hostile::Options),
    Mutants(chaos::MutantOptions),
    Siege(siege::Options),
}

impl Verb {
    /// Ends with 0 if what was to be shown held, 1 if not, 2 if it could not be tried.
    pub async fn run(self) -> ExitCode {
        let outcome = match self {
            Self::Bench(options) => options.run().await.map(code),
            Self::Browser(options) => options.run().await.map(code),
            Self::Hostile(options) => options.run().await.map(code),
            Self::Siege(options) => options.run().await.map(code),
            Self::Chaos(options) => chaos::run(options).await,
            Self::Checker(options) => checker::run(*options).await.map(code),
            Self::Cluster(options) => cluster::run(options).await.map(code),
            Self::CrashPoints(options) => crash_points::run(options).await.map(code),
            Self::Mutants(options) => chaos::run_mutants(options).await.map(code),
        };
        outcome.unwrap_or_else(|error: Error| {
            eprintln!("\nproof: {error}");
            ExitCode::from(NOT_TRIED)
        })
    }
}

/// How a value is written on the command line.
pub fn name_of(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
