//! What a campaign is told on its command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::programs::{ArmedPrograms, Programs};

/// Break servers, connections and programs under load, and have a checker say whether a promise was broken.
///
/// Servers, doors and workers are real processes, started for this run and gone with it. What happens is drawn from the
/// seed before anything starts; the same seed gives the same schedule. Exit code: 0 the promise held and all went as
/// planned, 1 it did not, 2 it could not be checked, 3 the run hung (and says where).
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(flatten)]
    pub run: RunOptions,

    /// How many faults; left out, one for every 125 jobs, but no fewer than 160
    #[arg(long, value_name = "COUNT", conflicts_with = "drill")]
    pub faults: Option<usize>,

    /// Print the schedule and do nothing
    #[arg(long, conflicts_with = "drill")]
    pub plan: bool,

    /// One kind of trouble, applied on purpose and measured, instead of the random schedule
    #[arg(long, value_enum, value_name = "NAME")]
    pub drill: Option<Drill>,

    /// How long the drills postgres-outage (2 if left out) and soak (30) go on
    #[arg(long, requires = "drill")]
    pub minutes: Option<f64>,
}

/// Break one guarantee of Millrace on purpose at a time, and see whether the checker notices. Needs armed programs.
///
/// Each is caught by one of up to three short campaigns, or survives; exits 1 when any survives.
#[derive(Debug, Clone, Args)]
pub struct MutantOptions {
    #[command(flatten)]
    pub programs: ArmedPrograms,

    /// Where histories, logs and verdicts go, in a folder for each run
    #[arg(long, value_name = "FOLDER", default_value = "target/mutants")]
    pub history: PathBuf,

    /// Only those of these names
    pub names: Vec<String>,
}

/// What every run needs.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// How many jobs are posted while things break
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    pub jobs: u64,

    /// What everything is drawn from; left out, any
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,

    #[command(flatten)]
    pub programs: Programs,

    /// Where history, faults, logs and verdict go
    #[arg(long, value_name = "FOLDER", default_value = "target/chaos")]
    pub history: PathBuf,

    /// How long it may take until all is quiet once everything is healed, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub quiet_within: u64,

    /// How many unreadable messages the checker publishes, as a share of the jobs
    #[arg(long, value_name = "SHARE")]
    pub poison_share: Option<f64>,

    /// Of how many messages the checker publishes copies, as a share of all messages
    #[arg(long, value_name = "SHARE")]
    pub duplicate_share: Option<f64>,
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

impl RunOptions {
    /// As it was given, or any.
    pub fn seed(&self) -> u64 {
        // Any will do, and a short one is typed more easily.
        self.seed.unwrap_or_else(|| u64::from(std::process::id()) + u64::from(seconds_of_today()))
    }

    /// How long it may take until all is quiet.
    pub fn quiet_within(&self) -> Duration {
        Duration::from_secs(self.quiet_within)
    }
}

impl Options {
    /// How long the drill goes on, where that can be chosen.
    pub fn drill_time(&self) -> Duration {
        let usual = if self.drill == Some(Drill::Soak) { 30.0 } else { 2.0 };
        Duration::from_secs_f64(self.minutes.unwrap_or(usual) * 60.0)
    }

    /// As it was given, or fitting the number of jobs.
    pub fn faults(&self) -> usize {
        let fitting = usize::try_from(self.run.jobs / 125).unwrap_or(usize::MAX).max(160);
        self.faults.unwrap_or(fitting)
    }
}

fn seconds_of_today() -> u32 {
    let time = time::OffsetDateTime::now_utc().time();
    u32::from(time.hour()) * 3600 + u32::from(time.minute()) * 60 + u32::from(time.second())
}
