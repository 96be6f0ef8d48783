//! `ops prune`: deletes old rows of the ledger and creates its next partitions.
//!
//! A row of the ledger prevents a second effect of the same message, so it must stay for longer than a copy of the message can
//! lie in a queue or dead-letter queue.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use millrace_service::Fatal;
use millrace_service::settings::{DatabaseSettings, count};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::program::say;
use crate::{database, migrate};

/// Less than this needs `--force`.
const SAFE_DAYS: usize = 7;
const PAGE_ROWS: i64 = 5_000;
/// Dropping a partition takes a lock. While it waits for the lock, all workers' statements wait behind it, so it waits only
/// briefly and tries again.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";
const LOCK_NOT_AVAILABLE: &str = "55P03";
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// Deletes old rows of the ledger, and creates its partitions for the coming weeks
///
/// A message that is delivered again after its row was deleted takes effect again. Keep rows for longer than a message can
/// wait in a queue or dead-letter queue.
#[derive(Args)]
pub struct Prune {
    /// Keep messages that were handled within this number of days (1 to 3650)
    #[arg(long, env = "PRUNE_KEEP_DAYS", value_name = "DAYS", value_parser = count::<1, 3650>)]
    keep_days: usize,

    /// Only report what would be deleted
    #[arg(long)]
    dry_run: bool,

    /// Allow less than 7 days
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    database: DatabaseSettings,
}

struct Partition {
    name: String,
    rows: i64,
    last_handled_at: Option<OffsetDateTime>,
}

impl Prune {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        if self.keep_days < SAFE_DAYS && !self.force {
            return Err(Fatal::Misconfigured(format!(
                "with PRUNE_KEEP_DAYS={} a message that waited longer in a queue or dead-letter queue would take \
                 effect twice: keep {SAFE_DAYS} days or more, or give --force if no message can have waited that long",
                self.keep_days
            )));
        }
        let days = i64::try_from(self.keep_days).unwrap_or(i64::MAX);
        let cutoff = OffsetDateTime::now_utc() - time::Duration::days(days);
        let mut connection = database::connect(&self.database).await?;
        let partitions = self.prune_partitions(&mut connection, cutoff).await?;
        let rows = self.prune_rows(&mut connection, cutoff).await?;
        if partitions + rows == 0 {
            say(format!("Nothing in the ledger is older than {days} days"));
        }
        if !self.dry_run {
            migrate::prepare_partitions(&mut connection).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Drops the partitions of which every row is old. Gives their number.
    async fn prune_partitions(
        &self,
        connection: &mut PgConnection,
        cutoff: OffsetDateTime,
    ) -> Result<u64, Fatal> {
        let partitions = sqlx::query_file_as!(Partition, "src/prune/partitions.sql", cutoff)
            .fetch_all(&mut *connection)
            .await
            .map_err(database::failed("list the ledger's partitions"))?;
        let mut dropped = 0;
        for Partition { name, rows, last_handled_at } in partitions {
            if let Some(last) = last_handled_at.filter(|last| *last >= cutoff) {
                say(format!("Kept partition {name}: a row in it was handled on {}", last.date()));
                continue;
            }
            if self.dry_run {
                say(format!("Would drop partition {name} with {rows} rows"));
            } else {
                drop_partition(connection, &name).await?;
                say(format!("Dropped partition {name} with {rows} rows"));
            }
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Deletes old rows from the partitions that are not of one week. Gives their number.
    async fn prune_rows(&self, connection: &mut PgConnection, cutoff: OffsetDateTime) -> Result<u64, Fatal> {
        if !self.dry_run {
            delete_started_attempts(connection, cutoff).await?;
        }
        let (keyed, other) = if self.dry_run {
            let old = sqlx::query_file!("src/prune/old_rows.sql", cutoff)
                .fetch_one(connection)
                .await
                .map_err(database::failed("count the ledger's old rows"))?;
            (old.keyed, old.other)
        } else {
            (delete_keyed(connection, cutoff).await?, delete_other(connection, cutoff).await?)
        };
        let done = if self.dry_run { "Would delete" } else { "Deleted" };
        for (rows, table) in [(keyed, "entries_keyed"), (other, "entries_other")] {
            if rows > 0 {
                say(format!("{done} {rows} rows of {table}"));
            }
        }
        Ok((keyed + other).unsigned_abs())
    }
}

async fn drop_partition(connection: &mut PgConnection, name: &str) -> Result<(), Fatal> {
    let mut attempt = 1;
    loop {
        match try_drop(connection, name).await {
            Ok(()) => return Ok(()),
            Err(error) if attempt < LOCK_ATTEMPTS && is_lock_timeout(&error) => attempt += 1,
            Err(error) => return Err(database::failed(&format!("drop partition {name}"))(error)),
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

async fn try_drop(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query(LOCK_TIMEOUT).execute(&mut *transaction).await?;
    // The name comes from Postgres' catalog and may contain any character.
    let name = name.replace('"', "\"\"");
    let drop = AssertSqlSafe(format!("DROP TABLE ledger.\"{name}\""));
    sqlx::query(drop).execute(&mut *transaction).await?;
    transaction.commit().await
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some(LOCK_NOT_AVAILABLE))
}

/// Deletes the started attempts of messages that were dead-lettered for crashes or purged from their queue.
async fn delete_started_attempts(connection: &mut PgConnection, cutoff: OffsetDateTime) -> Result<(), Fatal> {
    sqlx::query_file!("src/prune/delete_started_attempts.sql", cutoff)
        .execute(connection)
        .await
        .map_err(database::failed("delete old rows of ledger.started_attempts"))?;
    Ok(())
}

async fn delete_keyed(connection: &mut PgConnection, cutoff: OffsetDateTime) -> Result<i64, Fatal> {
    let (mut rows, mut after) = (0, (String::new(), Uuid::nil()));
    loop {
        let page = sqlx::query_file!("src/prune/delete_keyed.sql", after.0, after.1, PAGE_ROWS, cutoff)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database::failed("delete old rows of entries_keyed"))?;
        let Some(page) = page else { return Ok(rows) };
        rows += page.rows;
        after = (page.handler, page.message_id);
    }
}

async fn delete_other(connection: &mut PgConnection, cutoff: OffsetDateTime) -> Result<i64, Fatal> {
    let (mut rows, mut after) = (0, (String::new(), Uuid::nil()));
    loop {
        let page = sqlx::query_file!("src/prune/delete_other.sql", after.0, after.1, PAGE_ROWS, cutoff)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database::failed("delete old rows of entries_other"))?;
        let Some(page) = page else { return Ok(rows) };
        rows += page.rows;
        after = (page.handler, page.message_id);
    }
}
