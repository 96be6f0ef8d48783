//! `cargo xtask matrix`: the same tests on every supported pair of RabbitMQ and PostgreSQL.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use millrace_stack::services::FORCED_SOURCE;
use millrace_stack::services::images::{Images, SUPPORTED};
use millrace_stack::stack::program::log_tail;

use crate::cargo::{self, cargo};
use crate::error::Error;
use crate::proof::to_its_end;

/// Run all flows and all crash cases on each supported pair of RabbitMQ and PostgreSQL, in containers.
///
/// Needs a Docker engine (`.ci/engine` starts one); images are built from Debian packages where they are missing. Logs
/// are in target/matrix. Exits 1 when anything failed.
#[derive(Debug, Args)]
pub struct Options {
    /// Only the pair with this version of RabbitMQ: 4.3, 4.0 or 3.10; may be given several times
    #[arg(long, value_name = "VERSION", value_parser = Images::of)]
    only: Vec<&'static Images>,

    /// Only this suite
    #[arg(long, value_enum)]
    suite: Option<Suite>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Whole flows, from the API to the last follow-up
    Flows,
    /// Every crash point of API and workers
    CrashPoints,
}

impl Suite {
    const fn name(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::CrashPoints => "crash-points",
        }
    }

    fn command(self) -> Result<Command, Error> {
        match self {
            Self::Flows => Ok(cargo(&["test", "--locked", "--test", "flows"])),
            Self::CrashPoints => {
                let own = std::env::current_exe().map_err(Error::file("xtask"))?;
                let mut command = Command::new(own);
                command.arg(self.name()).current_dir(cargo::root());
                Ok(command)
            }
        }
    }
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    let folder = cargo::folder_of_runs()?.join("matrix");
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    let pairs = if options.only.is_empty() { SUPPORTED.iter().collect() } else { options.only };
    let suites = options.suite.as_ref().map_or(Suite::value_variants(), std::slice::from_ref);
    let mut report = Vec::new();
    for pair in pairs {
        pair.build().map_err(Error::file("deploy/images/build"))?;
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

async fn try_on(pair: &Images, suite: Suite, log: &Path) -> Result<(bool, Duration), Error> {
    let file = File::create(log).map_err(Error::file(log))?;
    let mut command = suite.command()?;
    command
        .env(FORCED_SOURCE, "containers")
        .env("RABBITMQ_IMAGE", pair.rabbitmq)
        .env("POSTGRES_IMAGE", pair.postgres)
        .stdout(file.try_clone().map_err(Error::file(log))?)
        .stderr(file);
    let began = Instant::now();
    let status = to_its_end(command).await?;
    Ok((status.success(), began.elapsed()))
}
