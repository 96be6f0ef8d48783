//! `ops migrate`: brings the database's schema up to date and creates the ledger's next partitions.

use std::process::ExitCode;

use clap::Args;
use millrace_service::Fatal;
use millrace_service::settings::DatabaseSettings;
use sqlx::PgConnection;
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};

use crate::database;
use crate::program::say;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// The number of weeks ahead for which the ledger has partitions.
pub const WEEKS_AHEAD: i32 = 8;

/// Brings the database's schema up to date; running it twice, or twice at the same time, does no harm
#[derive(Args)]
pub struct Migrate {
    #[command(flatten)]
    database: DatabaseSettings,
}

impl Migrate {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        let mut connection = database::connect(&self.database).await?;
        // Held for the whole command, so that of two at the same time each reports only its own migrations. The migrator
        // takes the same advisory lock again, which Postgres allows to one session.
        connection.lock().await.map_err(explain)?;
        // While a statement waits for a lock on a table, all later statements on that table wait behind it.
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
            say("The schema is already up to date");
        }
        prepare_partitions(&mut connection).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Creates the ledger's missing partitions for the coming weeks, and reports how many there were.
pub async fn prepare_partitions(connection: &mut PgConnection) -> Result<(), Fatal> {
    let created = sqlx::query_file_scalar!("src/prune/prepare_partitions.sql", WEEKS_AHEAD)
        .fetch_one(connection)
        .await
        .map_err(database::failed("prepare the ledger's partitions"))?;
    if created > 0 {
        say(format!("Created {created} weekly partitions of the ledger, up to {WEEKS_AHEAD} weeks ahead"));
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
            "The database has migration {version:04}, which this release does not know: a newer release has migrated \
             it. Nothing was changed; run `ops migrate` of the newest release in use"
        )),
        MigrateError::VersionMismatch(version) => Fatal::failed(format!(
            "Migration {version:04} was edited after it was applied. Nothing was changed; restore the file, and put \
             the change into a new migration"
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
