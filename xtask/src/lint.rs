//! `cargo xtask lint`: everything that can be checked without running Millrace.

mod architecture;
mod deny;

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use crate::cargo::{ARMED, cargo, run as run_command};
use crate::error::Error;
use crate::sqlx_data;

/// Check formatting, clippy, documentation, architecture, schemas, SQL descriptions and dependencies.
///
/// All checks run, even when one fails; exits 1 with a list of those that did.
#[derive(Debug, Args)]
pub struct Options {
    /// Run only the checks of these names
    #[arg(value_name = "CHECK", value_parser = CHECKS)]
    only: Vec<String>,
}

const CHECKS: [&str; 8] =
    ["format", "clippy", "docs", "architecture", "tidy", "schemas", "sql", "dependencies"];

/// The tests that compare derived files with what they are derived from, and messages with those of the last release. Told to,
/// they write the files.
pub const COMPARISONS: [&str; 9] = [
    "openapi::tests",
    "tests::asyncapi",
    "tests::bodies",
    "tests::compatibility",
    "tests::ids",
    "tests::routes",
    "tests::schemas",
    "tests::subscriptions",
    "tests::wire",
];

/// How a check ended.
enum Outcome {
    Passed,
    Failed(String),
    /// It could not be checked on this machine, which is reported but is no fault of the sources.
    Undone(String),
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    let chosen = |name: &&str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let mut report = Vec::new();
    for name in CHECKS.into_iter().filter(chosen) {
        println!("── {name}");
        let started = Instant::now();
        let outcome = check(name).await.unwrap_or_else(|error| Outcome::Failed(error.to_string()));
        let took = format!("{:.1} s", started.elapsed().as_secs_f64());
        let line = match &outcome {
            Outcome::Passed => format!("{name:<14} passed   {took:>8}"),
            Outcome::Failed(reason) => format!("{name:<14} FAILED   {took:>8}  {reason}"),
            Outcome::Undone(reason) => format!("{name:<14} UNDONE   {took:>8}  {reason}"),
        };
        println!("{line}");
        report.push((outcome, line));
    }
    println!("\nlint:");
    for (_, line) in &report {
        println!("  {line}");
    }
    let failed = report.iter().any(|(outcome, _)| matches!(outcome, Outcome::Failed(_)));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn check(name: &str) -> Result<Outcome, Error> {
    match name {
        "format" => run_command(cargo(&["fmt", "--all", "--check"]))?,
        "clippy" => {
            const STRICT: [&str; 4] = ["--all-targets", "--", "-D", "warnings"];
            let clippy = ["clippy", "--quiet", "--locked", "--workspace"];
            run_command(cargo(&[&clippy[..], &STRICT].concat()))?;
            run_command(cargo(&[&clippy[..], &["--features", ARMED], &STRICT].concat()))?;
        }
        "docs" => {
            let mut docs = cargo(&["doc", "--quiet", "--locked", "--no-deps", "--workspace"]);
            docs.env("RUSTDOCFLAGS", "-D warnings");
            run_command(docs)?;
        }
        "architecture" => return architecture::check(),
        "tidy" => run_command(cargo(&["test", "--quiet", "--locked", "--test", "flows", "tidy"]))?,
        "schemas" => {
            // Of all packages: with fewer, other people's crates would be built once more with fewer features.
            let mut comparisons = cargo(&["test", "--quiet", "--locked", "--workspace", "--lib", "--"]);
            comparisons.args(COMPARISONS);
            run_command(comparisons)?;
        }
        "sql" => {
            let differing = sqlx_data::differences().await?;
            if !differing.is_empty() {
                sqlx_data::explain(&differing);
                return Ok(Outcome::Failed(".sqlx is not current".to_owned()));
            }
        }
        _ => return deny::check(),
    }
    Ok(Outcome::Passed)
}
