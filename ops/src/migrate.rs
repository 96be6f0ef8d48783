//! `ops migrate`: brings the database's schema up to date, and prepares the ledger's partitions.

use std::process::ExitCode;

use clap::Args;
use millrace_service::Fatal;
use millrace_service::settings::DatabaseSettings;
use sqlx::PgConnection;
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};

use crate::database;
use crate::run::say;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Weeks for which the ledger has a partition ahead of time.
pub const WEEKS_AHEAD: i32 = 8;

/// Brings the database's schema up to date. Doing it twice, or from two places at once, does no harm
#[derive(Args)]
pub struct Migrate {
    #[command(flatten)]
    database: DatabaseSettings,
}

impl Migrate {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        let mut connection = database::connect(&self.database).await?;
        // Held for the whole command, so that two of them don't count each other's migrations as their own. The
        // migrator takes the same lock again, which Postgres counts.
        connection.lock().await.map_err(explain)?;
        // A statement that waits for a lock on a table makes all that come after it wait, too.
        sqlx::query("SET lock_timeout = '10s'")
            .execute(&mut connection)
            .await
            .map_err(|e| explain(e.into()))?;
        let before = applied(&mut connection).await?;
        MIGRATIONS.run(&mut connection).await.map_err(explain)?;
        let new = MIGRATIONS.iter().filter(|migration| !before.contains(&migration.version));
        let mut count = 0;
        for migration in new {
            say(format!("Applied {:04} {}", migration.version, migration.description));
            count += 1;
        }
        if count == 0 {
            say("The schema is up to date; nothing was to be applied");
        }
        prepare_partitions(&mut connection).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Creates the ledger's partitions for the weeks to come, and says so where some were missing.
pub async fn prepare_partitions(connection: &mut PgConnection) -> Result<(), Fatal> {
    let created = sqlx::query_file_scalar!("src/prune/prepare_partitions.sql", WEEKS_AHEAD)
        .fetch_one(connection)
        .await
        .map_err(database::failed("prepare the ledger's partitions"))?;
    if created > 0 {
        say(format!("Prepared {created} weekly partitions of the ledger, {WEEKS_AHEAD} weeks ahead"));
    }
    Ok(())
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>, Fatal> {
    let table = &MIGRATIONS.table_name;
    connection.ensure_migrations_table(table).await.map_err(explain)?;
    let applied = connection.list_applied_migrations(table).await.map_err(explain)?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}

fn explain(error: MigrateError) -> Fatal {
    match error {
        MigrateError::VersionMissing(version) => Fatal::failed(format!(
            "The database has migration {version:04}, which this release does not know: it was migrated by a newer \
             release. Nothing was changed; run `ops migrate` of the newest release that is in use"
        )),
        MigrateError::VersionMismatch(version) => Fatal::failed(format!(
            "Migration {version:04} was applied with another text than this release has. Nothing was changed; \
             applied migrations must never be edited: restore the file, and put the change into a new one"
        )),
        MigrateError::ExecuteMigration(error, version) => Fatal::failed(format!(
            "Migration {version:04} failed and was rolled back, those before it stay applied: {}",
            database::reason(&error)
        )),
        MigrateError::Execute(error) => {
            Fatal::failed(format!("The schema could not be brought up to date: {}", database::reason(&error)))
        }
        other => Fatal::because("The schema could not be brought up to date", other),
    }
}
