//! What a campaign is told on its command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Breaks whatever Millrace stands on, and Millrace itself, under load, and has a checker say whether it kept its promise.
///
/// Servers, doors and workers are real processes, started for this run and gone with it. What happens is drawn from the
/// seed before anything starts; the same seed gives the same schedule. Exit code: 0 the promise held and all went as
/// planned, 1 it did not, 2 it could not be checked, 3 the run hung (and says where).
#[derive(Debug, Clone, Parser)]
#[command(name = "chaos", version, args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(flatten)]
    pub run: RunOptions,

    /// How many faults; left out, one for every 125 jobs, but no fewer than 160
    #[arg(long, value_name = "COUNT")]
    pub faults: Option<usize>,

    /// Print the schedule and do nothing
    #[arg(long)]
    pub plan: bool,

    #[command(subcommand)]
    pub instead: Option<Instead>,
}

/// What every run needs.
#[derive(Debug, Clone, clap::Args)]
pub struct RunOptions {
    /// How many jobs are posted while things break
    #[arg(long, value_name = "COUNT", default_value_t = 20_000, global = true)]
    pub jobs: u64,

    /// What everything is drawn from; left out, any
    #[arg(long, value_name = "NUMBER", global = true)]
    pub seed: Option<u64>,

    /// The folder with Millrace's programs; left out, the one that this program is in
    #[arg(long, value_name = "FOLDER", global = true)]
    pub programs: Option<PathBuf>,

    /// The checker; left out, the program `checker` beside this one
    #[arg(long, value_name = "FILE", global = true)]
    pub checker: Option<PathBuf>,

    /// Where history, faults, logs and verdict go
    #[arg(long, value_name = "FOLDER", default_value = "target/chaos", global = true)]
    pub history: PathBuf,

    /// How long it may take until all is quiet once everything is healed, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, global = true)]
    pub quiet_within: u64,

    /// How many unreadable messages the checker publishes, as a share of the jobs
    #[arg(long, value_name = "SHARE", global = true)]
    pub poison_share: Option<f64>,

    /// Of how many messages the checker publishes copies, as a share of all messages
    #[arg(long, value_name = "SHARE", global = true)]
    pub duplicate_share: Option<f64>,
}

/// Instead of the random campaign.
#[derive(Debug, Clone, Subcommand)]
pub enum Instead {
    /// One kind of trouble, applied on purpose and measured
    #[command(subcommand)]
    Drill(Drill),
    /// Breaks one guarantee of the programs at a time, and sees whether that is noticed. Needs armed programs
    Mutants {
        /// Only those of these names
        names: Vec<String>,
    },
}

/// The drills.
#[derive(Debug, Clone, Copy, PartialEq, Subcommand)]
pub enum Drill {
    /// PostgreSQL is away for some minutes under load
    PostgresOutage {
        /// For how long
        #[arg(long, value_name = "MINUTES", default_value_t = 2.0)]
        minutes: f64,
    },
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
    Soak {
        /// For how long
        #[arg(long, value_name = "MINUTES", default_value_t = 30.0)]
        minutes: f64,
    },
}

impl RunOptions {
    /// Where the programs are.
    pub fn programs(&self) -> PathBuf {
        self.programs.clone().unwrap_or_else(own_folder)
    }

    /// Where the checker is.
    pub fn checker(&self) -> PathBuf {
        self.checker.clone().unwrap_or_else(|| own_folder().join("checker"))
    }

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
    /// As it was given, or fitting the number of jobs.
    pub fn faults(&self) -> usize {
        let fitting = usize::try_from(self.run.jobs / 125).unwrap_or(usize::MAX).max(160);
        self.faults.unwrap_or(fitting)
    }
}

fn own_folder() -> PathBuf {
    let own = std::env::current_exe().ok();
    own.as_deref().and_then(Path::parent).unwrap_or(Path::new(".")).to_owned()
}

fn seconds_of_today() -> u32 {
    let time = time::OffsetDateTime::now_utc().time();
    u32::from(time.hour()) * 3600 + u32::from(time.minute()) * 60 + u32::from(time.second())
}
