//! The journal: every change that the pipeline makes in Postgres, noted by triggers, with nothing unique about it.

use sqlx::{PgPool, raw_sql};

/// Puts the journal into a migrated database. May be done again; what is noted already stays.
pub async fn install(database: &PgPool) -> sqlx::Result<()> {
    raw_sql(include_str!("journal.sql")).execute(database).await.map(drop)
}

/// Forgets all that was noted, so that one database serves many cases.
pub async fn clear(database: &PgPool) -> sqlx::Result<()> {
    raw_sql("TRUNCATE checker.notes, checker.effects").execute(database).await.map(drop)
}

#[cfg(test)]
mod tests;
