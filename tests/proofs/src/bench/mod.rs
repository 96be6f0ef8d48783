//! The bench: Millrace beside the bare broker and the bare database, in the same run, round after round.

mod api;
mod ceilings;
mod cost;
mod flow;
mod goals;
mod growth;
mod latency;
mod machine;
mod orders;
mod plot;
mod profile;
mod report;
mod results;
mod stack;
mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use self::flow::WholeSystem;
use self::latency::Answer;
use self::profile::Profile;
use self::results::Results;
use self::stack::{Bench, Ledger};
use self::worker::Work;
use crate::error::Error;
use crate::programs::built;

/// With fewer, a median says little.
const ROUNDS_WORTH_KEEPING: usize = 5;
const MEASUREMENTS: [&str; 5] = ["api", "worker", "growth", "flow", "latency"];

/// Measures Millrace beside the bare broker and the bare database.
#[derive(Debug, Args)]
pub struct Options {
    /// The folder with Millrace's programs; left out, the one that cargo built them into
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Where the programs' logs go
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    logs: PathBuf,
    /// Only these measurements, beside the ceilings
    #[arg(long, value_name = "NAME", value_parser = MEASUREMENTS)]
    only: Vec<String>,
    /// How often each measurement is made
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    rounds: usize,
    /// How many jobs wait for a worker
    #[arg(long, value_name = "COUNT", default_value_t = 60_000)]
    jobs: usize,
    /// How many orders go through the whole flow
    #[arg(long, value_name = "COUNT", default_value_t = 15_000)]
    orders: usize,
    /// How long the API is posted to, for each number of connections
    #[arg(long, value_name = "SECONDS", default_value_t = 4)]
    seconds: u64,
    /// How many rows the large ledger has
    #[arg(long, value_name = "COUNT", default_value_t = 10_000_000)]
    grown: usize,
    /// The folder to write performance.md and its plot into; left out, docs for a run that is worth keeping, and the
    /// folder with the logs for any other
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    /// Say which statements the database's time went into. They are counted by pg_stat_statements, which costs a little
    #[arg(long)]
    profile: bool,
    /// Measure programs without optimization: only to see that measuring works
    #[arg(long)]
    debug: bool,
}

impl Options {
    /// True whatever was measured: goals are printed, and whoever reads them decides.
    pub async fn run(self) -> Result<bool, Error> {
        let folder = || built(if self.debug { "debug" } else { "release" });
        let programs = self.programs.clone().unwrap_or_else(folder);
        let bench = Bench::start(&programs, &self.logs, self.profile).await?;
        println!("bench: on {}", bench.servers.description());
        let facts = machine::facts(&bench).await?;
        let mut results = Results::default();
        cost::sizes(&bench, &mut results)?;
        if self.wants("growth") {
            growth::grow(&bench, self.grown).await?;
        }
        for round in 1..=self.rounds {
            println!("bench: round {round} of {}", self.rounds);
            self.round(&bench, &mut results).await?;
        }
        results.print();
        goals::print(&results);
        let folder = if self.worth_keeping() { Path::new("docs") } else { &self.logs };
        report::write(self.report.as_deref().unwrap_or(folder), &results, &facts)?;
        Ok(true)
    }

    /// Whether everything was measured, often enough, with optimized programs.
    fn worth_keeping(&self) -> bool {
        let everything = self.only.is_empty() && self.rounds >= ROUNDS_WORTH_KEEPING;
        everything && !self.debug && !self.profile
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    async fn round(&self, bench: &Bench, results: &mut Results) -> Result<(), Error> {
        ceilings::measure(bench, self.jobs / 2, results).await?;
        if self.wants("api") {
            api::measure(bench, self.seconds, self.jobs / 2, results).await?;
        }
        if self.wants("worker") {
            let profile = Profile::begin(bench, self.profile).await?;
            let work = Work { name: "worker", ledger: Ledger::Empty, processes: 1, jobs: self.jobs };
            worker::measure(bench, &work, results).await?;
            profile.tell(bench, "worker").await?;
        }
        if self.wants("growth") {
            growth::measure(bench, self.jobs, results).await?;
        }
        if self.wants("flow") || self.wants("latency") {
            let system = WholeSystem::start(bench, results).await?;
            cost::idle(bench, &system.units, Duration::from_secs(5), results).await?;
            let profile = Profile::begin(bench, self.profile).await?;
            let peak = flow::measure(bench, &system, self.orders, results).await?;
            profile.tell(bench, "flow").await?;
            for (name, rate) in [("50", 50.0), ("half", peak / 2.0)] {
                let pace = (rate, Duration::from_secs(self.seconds * 2));
                latency::measure(bench, system.api(), name, pace, Answer::Accepted, results).await?;
            }
            let pace = (50.0, Duration::from_secs(self.seconds * 2));
            latency::measure(bench, system.api(), "waited", pace, Answer::Outcome, results).await?;
            system.stop(bench).await?;
        }
        Ok(())
    }
}
