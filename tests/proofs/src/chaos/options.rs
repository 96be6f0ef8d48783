//! What a campaign and the mutants are told on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::checker::options::Injections;
use crate::programs::{ArmedPrograms, Programs};

/// Break servers, connections and programs under load, and have a checker say whether a promise was broken.
///
/// Servers, APIs and workers are real processes, started for this run and gone with it. What happens is drawn from the
/// seed before anything starts; the same seed gives the same schedule. Exit code: 0 the promise held and all went as
/// planned, 1 it did not, 2 it could not be checked, 3 the run hung (and says where).
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How many jobs are posted while things break
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    pub jobs: u64,

    /// What everything is drawn from; left out, any
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,

    /// How many faults; left out, one for every 125 jobs, but no fewer than 160
    #[arg(long, value_name = "COUNT", conflicts_with = "drill")]
    pub faults: Option<usize>,

    /// Print the schedule and do nothing
    #[arg(long, conflicts_with = "drill")]
    pub plan: bool,

    /// One kind of failure, caused on purpose and measured, instead of the random schedule
    #[arg(long, value_enum, value_name = "NAME")]
    pub drill: Option<Drill>,

    /// How long the drills postgres-outage (2 if left out) and soak (30) go on
    #[arg(long, requires = "drill")]
    pub minutes: Option<f64>,

    #[command(flatten)]
    pub injections: Injections,

    #[command(flatten)]
    pub programs: Programs,

    /// Where history, faults, logs and verdict go
    #[arg(long, value_name = "FOLDER", default_value = "target/chaos")]
    pub history: PathBuf,
}

/// Break one guarantee of Millrace on purpose at a time, and see whether the checker notices. Needs armed programs.
///
/// Each is caught by one of up to three short campaigns, or survives; exits 1 when any survives.
#[derive(Debug, Clone, Args)]
pub struct MutantOptions {
    /// Only those of these names
    pub names: Vec<String>,

    #[command(flatten)]
    pub programs: ArmedPrograms,

    /// Where histories, logs and verdicts go, in a folder for each run
    #[arg(long, value_name = "FOLDER", default_value = "target/mutants")]
    pub history: PathBuf,
}

/// The drills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Drill {
    /// PostgreSQL is away for some minutes under load
    PostgresOutage,
    /// Workers are killed one after the other under load, and nothing else is broken: how long until what they held is
    /// done
    WorkerKill,
    /// All workers are asked to stop one after the other, ten rounds, under load
    GracefulStop,
    /// As graceful-stop, but each is killed a second after it was asked
    ImpatientStop,
    /// All workers are asked to stop one after the other, each while the way to the broker is slow for some seconds
    SlowStop,
    /// The broker is short of memory for a minute at full load
    Blocked,
    /// Connections stay open and nothing arrives: how long until it is noticed
    HalfOpen,
    /// The infrastructure fails each 20 s, and the programs are never touched: what do they hold
    Soak,
}

impl Options {
    /// How long the drill goes on, where that can be chosen.
    pub fn drill_time(&self) -> Duration {
        let usual = if self.drill == Some(Drill::Soak) { 30.0 } else { 2.0 };
        Duration::from_secs_f64(self.minutes.unwrap_or(usual) * 60.0)
    }

    /// As it was given, or any: the process id and the time of day are short to type again.
    pub fn seed(&self) -> u64 {
        let (hour, minute, second) = time::OffsetDateTime::now_utc().to_hms();
        let seconds = (u64::from(hour) * 60 + u64::from(minute)) * 60 + u64::from(second);
        self.seed.unwrap_or(u64::from(std::process::id()) + seconds)
    }

    /// As it was given, or fitting the number of jobs.
    pub fn faults(&self) -> usize {
        let fitting = usize::try_from(self.jobs / 125).unwrap_or(usize::MAX).max(160);
        self.faults.unwrap_or(fitting)
    }
}
