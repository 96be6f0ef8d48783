//! A second database, in the same server, whose ledger has grown large.

use crate::bench::orders;
use crate::bench::results::Results;
use crate::bench::stage::{Broken, Ledger, Stage};
use crate::bench::worker::{self, Work};

/// As many rows as one statement makes.
const PORTION: usize = 500_000;
/// What the rows are modelled on: real orders, worked by a real worker.
const MODELS: usize = 200;

/// Makes the database, and its ledger large.
pub async fn grow(stage: &Stage, rows: usize) -> Result<(), Broken> {
    println!("bench: making a ledger of {rows} rows");
    let mut session = stage.session(Ledger::Empty).await?;
    sqlx::raw_sql("CREATE DATABASE grown").execute(&mut session).await?;
    stage.migrate(Ledger::Grown)?;
    let mut session = stage.session(Ledger::Grown).await?;
    orders::introduce(&mut session, &stage.customers).await?;
    orders::preload(&stage.servers.amqp_url, &stage.customers, MODELS).await?;
    let worker = stage.worker(millrace_contracts::orders::DOMAIN, 1, Ledger::Grown).await?;
    worker::until_placed(stage, std::slice::from_ref(&worker), MODELS).await?;
    stage.stop(worker).await?;
    for from in (0..rows).step_by(PORTION) {
        let portion =
            [from, rows.min(from + PORTION), rows].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        let [from, to, rows] = portion;
        sqlx::query(include_str!("fill.sql")).bind(from).bind(to).bind(rows).execute(&mut session).await?;
    }
    // What autovacuum does sooner or later; it is not what is measured.
    for statement in ["VACUUM (ANALYZE) ledger.entries", "CHECKPOINT"] {
        sqlx::raw_sql(statement).execute(&mut session).await?;
    }
    Ok(())
}

/// The worker on the large ledger, and several workers on one that was empty when they began.
pub async fn measure(stage: &Stage, jobs: usize, results: &mut Results) -> Result<(), Broken> {
    for (name, ledger, processes) in
        [("worker grown", Ledger::Grown, 1), ("worker 2", Ledger::Empty, 2), ("worker 4", Ledger::Empty, 4)]
    {
        worker::measure(stage, &Work { name, ledger, processes, jobs }, results).await?;
    }
    Ok(())
}
