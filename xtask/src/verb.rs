//! The verbs: `demo`, `up`, `test`, `lint`, `sqlx`.

use std::process::ExitCode;

use clap::Parser;

use crate::trouble::Trouble;
use crate::{demo, lint, sqlx_data, test, up};

/// Runs, tests and checks Millrace. RabbitMQ and PostgreSQL are found or started: as AMQP_URL, AMQP_MANAGEMENT_URL and
/// DATABASE_URL say; in containers of RABBITMQ_IMAGE and POSTGRES_IMAGE; as private instances; or installed first
/// (Debian, as root). MILLRACE_SERVICES=given|containers|private forces one of these.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Verb {
    Demo(demo::Options),
    Up(up::Options),
    Test(test::Options),
    Lint(lint::Options),
    Sqlx(sqlx_data::Options),
}

impl Verb {
    pub async fn run(self) -> Result<ExitCode, Trouble> {
        match self {
            Self::Demo(options) => demo::run(options).await,
            Self::Up(options) => up::run(options).await,
            Self::Test(options) => test::run(options).await,
            Self::Lint(options) => lint::run(options).await,
            Self::Sqlx(options) => sqlx_data::run(options).await,
        }
    }
}
