//! `cargo xtask demo`: a thousand orders through every domain, watched from outside, and an account of every one.

mod account;
mod load;
mod picture;
mod settle;
mod story;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use millrace_stack::services::Services;
use millrace_stack::stack::program::Log;

use crate::backends::Backends;
use crate::cargo;
use crate::error::Error;
use crate::signals::asked_to_stop;
use crate::stack::{ApiSettings, Stack};

use account::Account;
use story::Orders;

/// Show Millrace at work: real orders through RabbitMQ, every worker and PostgreSQL, and what became of each.
///
/// Exits 0 when every order ended as it had to and the sums of money agree, 1 when anything was lost, is unsettled or
/// ended otherwise; it then says which job. Logs are in target/demo/. Nothing stays behind.
#[derive(Debug, Args)]
pub struct Options {
    /// How many orders to place (20 to 100000)
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    orders: u32,
    /// How long to wait for the last flow to settle, in seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    settle_deadline_s: u64,
    /// Build with optimizations
    #[arg(long)]
    release: bool,
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    let started = Instant::now();
    println!("demo: building the programs");
    let programs = cargo::build_programs(options.release)?;
    let services = Services::find_or_start()?;
    let backends = Backends::create(&services, "demo").await?;
    let outcome = tokio::select! {
        outcome = show(&options, &programs, &backends) => outcome,
        () = asked_to_stop() => Err(Error::Interrupted),
    };
    backends.remove().await?;
    let account = outcome?;
    println!("\ndemo: {} ({:.1} s in all)", account.verdict(), started.elapsed().as_secs_f64());
    Ok(if account.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn show(options: &Options, programs: &Path, backends: &Backends) -> Result<Account, Error> {
    let logs = cargo::folder_of_runs()?.join("demo");
    if logs.exists() {
        fs::remove_dir_all(&logs).map_err(Error::file(&logs))?;
    }
    fs::create_dir_all(&logs).map_err(Error::file(&logs))?;
    println!("demo: starting the API and the workers (logs in {})", logs.display());
    let stack = Stack::start(programs, backends, ApiSettings::random()?, Log::Files(logs.clone())).await?;

    let orders = Orders::new(options.orders);
    let load = load::place(&stack.api, backends, &orders).await?;
    let deadline = Duration::from_secs(options.settle_deadline_s);
    let unsettled = settle::wait(&stack.api, &load.jobs, deadline).await?;

    let mut account = Account::default();
    account.unsettled(&unsettled);
    println!("\n{}", picture::trail(&stack.api, &load).await?);
    println!("{}", picture::outcomes(backends).await?);
    println!("{}", account.queues(backends).await?);
    println!("{}", account.orders(backends, &load).await?);
    println!("{}", account.money(backends).await?);
    account.problems.extend(
        stack.ended().await.iter().map(|(name, status)| format!("{name} ended by itself ({status})")),
    );
    for name in stack.stop().await {
        account.problems.push(format!("{name} did not stop within its deadline and had to be killed"));
    }
    let list = logs.join("problems.txt");
    fs::write(&list, account.problems.join("\n")).map_err(Error::file(&list))?;
    Ok(account)
}
