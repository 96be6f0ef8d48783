//! `cargo xtask test`: every test, on services that are found or started once for all of them.

use std::process::ExitCode;

use clap::Args;
use millrace_stack::services::{FORCED_SOURCE, Services};

use crate::cargo::cargo;
use crate::error::Error;
use crate::proof::to_its_end;

/// Run every test of the workspace on a real RabbitMQ and PostgreSQL.
#[derive(Debug, Args)]
pub struct Options {
    /// Further arguments for `cargo test`, such as the name of a test, or `-- --nocapture`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    let services = Services::find_or_start()?;
    let mut test = cargo(&["test", "--locked", "--no-fail-fast"]);
    let names_package = |argument: &String| argument == "-p" || argument.starts_with("--package");
    if !options.arguments.iter().take_while(|argument| *argument != "--").any(names_package) {
        test.arg("--workspace");
    }
    test.args(&options.arguments)
        .env("AMQP_URL", &services.amqp_url)
        .env("AMQP_MANAGEMENT_URL", &services.management_url)
        .env("DATABASE_URL", &services.database_url)
        .env(FORCED_SOURCE, "given");
    let status = to_its_end(test).await?;
    println!("xtask test: ran on {}", services.description);
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
