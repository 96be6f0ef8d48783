//! `cargo xtask matrix`: the same tests on every supported pair of RabbitMQ and PostgreSQL.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use millrace_harness::rig::program::log_tail;
use millrace_harness::services::FORCED_RUNG;

use crate::cargo::{self, cargo};
use crate::proof::to_its_end;
use crate::trouble::Trouble;

/// Run all flows and all crash cases on each supported pair of RabbitMQ and PostgreSQL, in containers.
///
/// Needs a Docker engine (`.ci/engine` starts one); images are built from Debian packages where they are missing. Logs
/// are in target/matrix. Exits 1 when anything failed.
#[derive(Debug, Args)]
pub struct Options {
    /// Only the pair with this version of RabbitMQ: 4.3, 4.0 or 3.10; may be given several times
    #[arg(long, value_name = "VERSION", value_parser = Pair::parse)]
    only: Vec<&'static Pair>,

    /// Only this suite
    #[arg(long, value_enum)]
    suite: Option<Suite>,
}

/// What one Debian release brings.
#[derive(Debug)]
pub struct Pair {
    version: &'static str,
    release: &'static str,
    pub rabbitmq: &'static str,
    pub postgres: &'static str,
}

static PAIRS: [Pair; 3] = [
    Pair {
        version: "3.10",
        release: "bookworm",
        rabbitmq: "millrace-rabbitmq:3.10",
        postgres: "millrace-postgres:15",
    },
    Pair {
        version: "4.0",
        release: "trixie",
        rabbitmq: "millrace-rabbitmq:4.0",
        postgres: "millrace-postgres:17",
    },
    Pair {
        version: "4.3",
        release: "forky",
        rabbitmq: "millrace-rabbitmq:4.3",
        postgres: "millrace-postgres:18",
    },
];

impl Pair {
    pub fn parse(version: &str) -> Result<&'static Self, String> {
        let known = || PAIRS.iter().map(|pair| pair.version).collect::<Vec<_>>().join(", ");
        PAIRS
            .iter()
            .find(|pair| pair.version == version)
            .ok_or_else(|| format!("expected one of {}", known()))
    }

    /// What is built already from the same sources is left as it is.
    pub fn build_images(&self) -> Result<(), Trouble> {
        let mut build = Command::new("deploy/images/build");
        build.arg(self.release).current_dir(cargo::root());
        cargo::run_quietly(build).map(drop)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Whole flows, from the door to the last follow-up
    Flows,
    /// Every crash point of door and workers
    CrashPoints,
}

impl Suite {
    const fn name(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::CrashPoints => "crash-points",
        }
    }

    fn command(self) -> Result<Command, Trouble> {
        match self {
            Self::Flows => {
                Ok(cargo(&["test", "--locked", "--package", "millrace-harness", "--test", "millrace"]))
            }
            Self::CrashPoints => {
                let own = std::env::current_exe().map_err(Trouble::file("xtask"))?;
                let mut command = Command::new(own);
                command.arg(self.name()).current_dir(cargo::root());
                Ok(command)
            }
        }
    }
}

pub async fn run(options: Options) -> Result<ExitCode, Trouble> {
    let folder = cargo::folder_of_runs()?.join("matrix");
    fs::create_dir_all(&folder).map_err(Trouble::file(&folder))?;
    let pairs = if options.only.is_empty() { PAIRS.iter().collect() } else { options.only };
    let suites = options.suite.as_ref().map_or(Suite::value_variants(), std::slice::from_ref);
    let mut report = Vec::new();
    for pair in pairs {
        pair.build_images()?;
        for suite in suites {
            let log = folder.join(format!("{}-{}.log", pair.version, suite.name()));
            println!("── {} on RabbitMQ {}", suite.name(), pair.version);
            let (passed, took) = try_on(pair, *suite, &log).await?;
            let outcome = if passed { "passed" } else { "FAILED" };
            let line = format!(
                "{:<24}{:<24}{:<14}{outcome}  {:>7.1} s",
                pair.rabbitmq,
                pair.postgres,
                suite.name(),
                took.as_secs_f64()
            );
            println!("{line}");
            if !passed {
                println!("{}\n(all of it is in {})", log_tail(&log), log.display());
            }
            report.push((passed, line));
        }
    }
    println!("\nmatrix:");
    for (_, line) in &report {
        println!("  {line}");
    }
    let failed = report.iter().any(|(passed, _)| !passed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn try_on(pair: &Pair, suite: Suite, log: &Path) -> Result<(bool, Duration), Trouble> {
    let file = File::create(log).map_err(Trouble::file(log))?;
    let mut command = suite.command()?;
    command
        .env(FORCED_RUNG, "containers")
        .env("RABBITMQ_IMAGE", pair.rabbitmq)
        .env("POSTGRES_IMAGE", pair.postgres)
        .stdout(file.try_clone().map_err(Trouble::file(log))?)
        .stderr(file);
    let began = Instant::now();
    let status = to_its_end(command).await?;
    Ok((status.success(), began.elapsed()))
}
