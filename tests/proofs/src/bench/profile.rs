//! The profile: which statements the database's time went into, by its own count.

use sqlx::Row;

use crate::bench::stack::{Bench, Ledger};
use crate::error::Error;

const STATEMENTS: &str = "
    SELECT calls, rows, total_exec_time AS ms, mean_exec_time AS mean_ms, wal_bytes::float8 AS wal,
        regexp_replace(regexp_replace(query, '--[^\n]*', '', 'g'), '\\s+', ' ', 'g') AS statement
    FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY total_exec_time DESC LIMIT 14";
const STATEMENT_SHOWN: usize = 90;

/// A count of statements that began at a moment, if it was asked for.
#[derive(Debug)]
pub struct Profile {
    wanted: bool,
}

impl Profile {
    pub async fn begin(bench: &Bench, wanted: bool) -> Result<Self, Error> {
        if wanted {
            let mut session = bench.session(Ledger::Empty).await?;
            sqlx::raw_sql("SELECT pg_stat_statements_reset()").execute(&mut session).await?;
        }
        Ok(Self { wanted })
    }

    /// Prints the statements that took longest.
    pub async fn tell(self, bench: &Bench, what: &str) -> Result<(), Error> {
        if !self.wanted {
            return Ok(());
        }
        let mut session = bench.session(Ledger::Empty).await?;
        println!("  statements of {what}: calls, rows, ms in all, ms each, WAL bytes a row");
        for row in sqlx::query(STATEMENTS).fetch_all(&mut session).await? {
            let (calls, rows): (i64, i64) = (row.try_get("calls")?, row.try_get("rows")?);
            let (ms, mean, wal): (f64, f64, f64) =
                (row.try_get("ms")?, row.try_get("mean_ms")?, row.try_get("wal")?);
            let statement: String = row.try_get("statement")?;
            let shown = &statement[..statement.floor_char_boundary(STATEMENT_SHOWN)];
            println!(
                "    {calls:>7} {rows:>8} {ms:>9.1} {mean:>8.3} {:>6.0}  {shown}",
                wal / f64::from(i32::try_from(rows.max(1)).unwrap_or(i32::MAX))
            );
        }
        Ok(())
    }
}
