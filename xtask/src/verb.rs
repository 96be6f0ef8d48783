//! The verbs: `demo`, `up`, `test`, `lint`, `sqlx`, `documents`, `instructions`, `bench`, and one for each proof.

use std::process::ExitCode;

use clap::Parser;

use crate::trouble::Trouble;
use crate::{
    bench, browser, chaos, cluster, crash, demo, documents, hostile, instructions, lint, matrix, siege,
    sqlx_data, test, up,
};

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
    Matrix(matrix::Options),
    Cluster(cluster::Options),
    Chaos(chaos::Options),
    Mutants(chaos::MutantOptions),
    CrashPoints(crash::Options),
    Hostile(hostile::Options),
    Siege(siege::Options),
    Bench(bench::Options),
    Browser(browser::Options),
    Documents(documents::Options),
    Instructions(instructions::Options),
}

impl Verb {
    pub async fn run(self) -> Result<ExitCode, Trouble> {
        match self {
            Self::Demo(options) => demo::run(options).await,
            Self::Up(options) => up::run(options).await,
            Self::Test(options) => test::run(options).await,
            Self::Lint(options) => lint::run(options).await,
            Self::Sqlx(options) => sqlx_data::run(options).await,
            Self::Matrix(options) => matrix::run(options).await,
            Self::Cluster(options) => cluster::run(options).await,
            Self::Chaos(options) => chaos::run(options).await,
            Self::Mutants(options) => chaos::run_mutants(options).await,
            Self::CrashPoints(options) => crash::run(options).await,
            Self::Hostile(options) => hostile::run(options).await,
            Self::Siege(options) => siege::run(options).await,
            Self::Bench(options) => bench::run(options).await,
            Self::Browser(options) => browser::run(options).await,
            Self::Documents(options) => documents::run(options).await,
            Self::Instructions(options) => instructions::run(options).await,
        }
    }
}
