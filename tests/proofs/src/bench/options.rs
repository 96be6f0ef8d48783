//! What is asked of a run, and its measurements in order.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::bench::flow::Whole;
use crate::bench::latency::Answer;
use crate::bench::profile::Profile;
use crate::bench::results::Results;
use crate::bench::stage::{Broken, Ledger, Stage};
use crate::bench::worker::{self, Work};
use crate::bench::{ceilings, cost, door, flow, goals, growth, latency, machine, report};
use crate::programs::built;

/// With fewer, a median says little.
const ROUNDS_WORTH_KEEPING: usize = 5;
const MEASUREMENTS: [&str; 5] = ["door", "worker", "growth", "flow", "latency"];

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
    /// How long the door is posted to, for each number of connections
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
    pub async fn run(&self) -> Result<(), Broken> {
        let built = || built(if self.debug { "debug" } else { "release" });
        let programs = self.programs.clone().unwrap_or_else(built);
        let stage = Stage::set(&programs, &self.logs, self.profile).await?;
        println!("bench: on {}", stage.servers.description());
        let facts = machine::facts(&stage).await?;
        let mut results = Results::default();
        cost::sizes(&stage, &mut results)?;
        if self.wants("growth") {
            growth::grow(&stage, self.grown).await?;
        }
        for round in 1..=self.rounds {
            println!("bench: round {round} of {}", self.rounds);
            self.round(&stage, &mut results).await?;
        }
        results.print();
        goals::print(&results);
        let folder = if self.worth_keeping() { Path::new("docs") } else { &self.logs };
        report::write(self.report.as_deref().unwrap_or(folder), &results, &facts)?;
        Ok(())
    }

    /// Whether it measured everything, often enough, on the programs that are used.
    fn worth_keeping(&self) -> bool {
        let whole = self.only.is_empty() && self.rounds >= ROUNDS_WORTH_KEEPING;
        whole && !self.debug && !self.profile
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    async fn round(&self, stage: &Stage, results: &mut Results) -> Result<(), Broken> {
        ceilings::measure(stage, self.jobs / 2, results).await?;
        if self.wants("door") {
            door::measure(stage, self.seconds, self.jobs / 2, results).await?;
        }
        if self.wants("worker") {
            let profile = Profile::begin(stage, self.profile).await?;
            let work = Work { name: "worker", ledger: Ledger::Empty, processes: 1, jobs: self.jobs };
            worker::measure(stage, &work, results).await?;
            profile.tell(stage, "worker").await?;
        }
        if self.wants("growth") {
            growth::measure(stage, self.jobs, results).await?;
        }
        if self.wants("flow") || self.wants("latency") {
            let whole = Whole::start(stage, results).await?;
            cost::idle(stage, &whole.units, Duration::from_secs(5), results).await?;
            let profile = Profile::begin(stage, self.profile).await?;
            let peak = flow::measure(stage, &whole, self.orders, results).await?;
            profile.tell(stage, "flow").await?;
            for (name, rate) in [("50", 50.0), ("half", peak / 2.0)] {
                let pace = (rate, Duration::from_secs(self.seconds * 2));
                latency::measure(stage, whole.door(), name, pace, Answer::Accepted, results).await?;
            }
            let pace = (50.0, Duration::from_secs(self.seconds * 2));
            latency::measure(stage, whole.door(), "waited", pace, Answer::Outcome, results).await?;
            whole.stop(stage).await?;
        }
        Ok(())
    }
}
