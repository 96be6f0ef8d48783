//! The tasks: `demo`, `up`, `test`, `lint`, `sqlx`, `documents`, `instructions`, `matrix`, `new-domain`, and one for each proof.

use std::process::ExitCode;

use clap::Parser;

use crate::error::Error;
use crate::proof::{self, Passed, Programs, Proof};
use crate::{demo, documents, instructions, lint, matrix, new_domain, sqlx_data, test, up};

/// Runs, tests and checks Millrace. RabbitMQ and PostgreSQL are found or started: as AMQP_URL, AMQP_MANAGEMENT_URL and
/// DATABASE_URL say; in containers of RABBITMQ_IMAGE and POSTGRES_IMAGE; as private instances; or installed first
/// (Debian, as root). MILLRACE_SERVICES=given|containers|private forces one of these.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Task {
    Demo(demo::Options),
    Up(up::Options),
    Test(test::Options),
    Lint(lint::Options),
    Sqlx(sqlx_data::Options),
    Matrix(matrix::Options),
    NewDomain(new_domain::Options),
    /// Break a cluster of three RabbitMQ nodes under load, and see what that costs and whether anything is lost
    Cluster(Passed),
    /// Break servers, connections and programs under load, and have a checker say whether a promise was broken
    Chaos(Passed),
    /// Break one guarantee of Millrace on purpose at a time, and see whether the checker notices
    Mutants(Passed),
    /// Let the API and the workers die at every point of a message's life, and look at what is left afterwards
    CrashPoints(Passed),
    /// Send every kind of poison, and mutated messages by the thousand, to a real worker
    Hostile(Passed),
    /// Abuse two API processes: malformed requests, silent sockets, repeated keys, broken servers, leaking secrets
    Siege(Passed),
    /// Measure API, worker and whole flow beside the bare broker and the bare database, in the same run
    Bench(Passed),
    /// Open the page of a job in Chromium, by keyboard, and check what a reader sees
    Browser(Passed),
    Documents(documents::Options),
    Instructions(instructions::Options),
}

impl Task {
    pub async fn run(self) -> Result<ExitCode, Error> {
        let (verb, programs, passed) = match self {
            Self::Demo(options) => return demo::run(options).await,
            Self::Up(options) => return up::run(options).await,
            Self::Test(options) => return test::run(options).await,
            Self::Lint(options) => return lint::run(options).await,
            Self::Sqlx(options) => return sqlx_data::run(options).await,
            Self::Matrix(options) => return matrix::run(options).await,
            Self::NewDomain(options) => return new_domain::run(options).await,
            Self::Documents(options) => return documents::run(options).await,
            Self::Instructions(options) => return instructions::run(options).await,
            Self::Cluster(passed) => ("cluster", Programs::Plain, passed),
            Self::Chaos(passed) => ("chaos", Programs::Plain, passed),
            Self::Mutants(passed) => ("mutants", Programs::Armed, passed),
            Self::CrashPoints(passed) => ("crash-points", Programs::Armed, passed),
            Self::Hostile(passed) => ("hostile", Programs::Plain, passed),
            Self::Siege(passed) => ("siege", Programs::Plain, passed),
            Self::Bench(passed) => ("bench", Programs::Measured, passed),
            Self::Browser(passed) => ("browser", Programs::Own, passed),
        };
        proof::run(Proof { verb, programs }, passed).await
    }
}
