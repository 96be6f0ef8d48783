//! A second database, in the same server, whose ledger has grown large.

use crate::bench::orders;
use crate::bench::results::Results;
use crate::bench::stack::{Bench, Ledger};
use crate::bench::worker::{self, Work};
use crate::error::Error;

/// Rows that one statement inserts.
const PORTION: usize = 500_000;
/// What the rows are modelled on: real orders, worked by a real worker.
const MODELS: usize = 200;

/// Creates the database and fills its ledger.
pub async fn grow(bench: &Bench, rows: usize) -> Result<(), Error> {
    println!("bench: making a ledger of {rows} rows");
    let mut session = bench.session(Ledger::Empty).await?;
    sqlx::raw_sql("CREATE DATABASE grown").execute(&mut session).await?;
    bench.migrate(Ledger::Grown)?;
    let mut session = bench.session(Ledger::Grown).await?;
    orders::introduce(&mut session, &bench.customers).await?;
    orders::preload(&bench.servers.amqp_url, &bench.customers, MODELS).await?;
    let worker = bench.worker(millrace_contracts::orders::DOMAIN, 1, Ledger::Grown).await?;
    worker::until_placed(bench, std::slice::from_ref(&worker), MODELS).await?;
    bench.stop(worker).await?;
    for from in (0..rows).step_by(PORTION) {
        let portion =
            [from, rows.min(from + PORTION), rows].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        let [from, to, rows] = portion;
        sqlx::query(include_str!("fill.sql")).bind(from).bind(to).bind(rows).execute(&mut session).await?;
    }
    // Autovacuum would do this sooner or later, and is not what is measured.
    for statement in ["VACUUM (ANALYZE) ledger.entries", "CHECKPOINT"] {
        sqlx::raw_sql(statement).execute(&mut session).await?;
    }
    Ok(())
}

/// The worker on the large ledger, and several workers on one that was empty when they began.
pub async fn measure(bench: &Bench, jobs: usize, results: &mut Results) -> Result<(), Error> {
    for (name, ledger, processes) in
        [("worker grown", Ledger::Grown, 1), ("worker 2", Ledger::Empty, 2), ("worker 4", Ledger::Empty, 4)]
    {
        worker::measure(bench, &Work { name, ledger, processes, jobs }, results).await?;
    }
    Ok(())
}
