//! The verbs of this repository: `cargo xtask demo · up · test · lint · sqlx`.

mod cargo;
mod demo;
mod http;
mod lint;
mod place;
mod process;
mod signals;
mod sqlx_data;
mod stack;
mod test;
mod trouble;
mod up;

use std::process::ExitCode;

use clap::Parser;

/// Runs, tests and checks Millrace. RabbitMQ and PostgreSQL are found or started: as AMQP_URL, AMQP_MANAGEMENT_URL and
/// DATABASE_URL say, in containers, as private instances, or installed first (Debian, as root);
/// MILLRACE_SERVICES=given|containers|private forces one of these.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
enum Verb {
    Demo(demo::Options),
    Up(up::Options),
    Test(test::Options),
    Lint(lint::Options),
    Sqlx(sqlx_data::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Verb::parse() {
        Verb::Demo(options) => demo::run(options).await,
        Verb::Up(options) => up::run(options).await,
        Verb::Test(options) => test::run(options).await,
        Verb::Lint(options) => lint::run(options).await,
        Verb::Sqlx(options) => sqlx_data::run(options).await,
    };
    outcome.unwrap_or_else(trouble::report)
}
