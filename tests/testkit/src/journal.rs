//! The journal: every change that the pipeline makes in Postgres, noted by triggers, with nothing unique about it.

use sqlx::{FromRow, PgPool, raw_sql};
use time::OffsetDateTime;
use uuid::Uuid;

/// One write to `ledger.entries`.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Note {
    /// Rises with each line; of one row's changes, the later has the greater one.
    pub seq: i64,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub operation: String,
    /// The domain.
    pub handler: String,
    /// The message.
    pub message_id: Uuid,
    /// Its job.
    pub job_id: Uuid,
    /// The message that caused it.
    pub causation_id: Uuid,
    /// Whose job it is.
    pub client_id: String,
    /// The message's type.
    #[sqlx(rename = "type")]
    pub message_type: String,
    /// `retrying`, `succeeded`, `refused` or `dead`.
    pub status: String,
    /// Which attempt it was.
    pub attempts: i32,
    /// Why not, as JSON.
    pub problem: Option<String>,
    /// MD5 of the follow-ups.
    pub emitted_md5: Option<String>,
    /// The transaction.
    pub txid: i64,
    /// When it was written, shortly before it was committed.
    pub noted_at: OffsetDateTime,
}

/// One write to a domain's table.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Effect {
    /// Rises with each line; of one row's changes, the later has the greater one.
    pub seq: i64,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub operation: String,
    /// Schema and table, such as `orders.orders`.
    pub place: String,
    /// The row's key.
    pub key: String,
    /// The row's version before.
    pub old_version: Option<i64>,
    /// The row's version after.
    pub new_version: Option<i64>,
    /// Status (and where the row has one, payment) before, such as `placed pending`.
    pub old_state: Option<String>,
    /// The same after.
    pub new_state: Option<String>,
    /// Minor units, where the row has an amount.
    pub amount: Option<i64>,
    /// The amount's currency.
    pub currency: Option<String>,
    /// The transaction.
    pub txid: i64,
    /// When it was written, shortly before it was committed.
    pub noted_at: OffsetDateTime,
}

/// Puts the journal into a migrated database. May be done again; what is noted already stays.
pub async fn install(database: &PgPool) -> sqlx::Result<()> {
    raw_sql(include_str!("journal.sql")).execute(database).await.map(drop)
}

/// Forgets all that was noted, so that one database serves many cases.
pub async fn clear(database: &PgPool) -> sqlx::Result<()> {
    raw_sql("TRUNCATE checker.notes, checker.effects").execute(database).await.map(drop)
}

/// Every write to the ledger, oldest first.
pub async fn notes(database: &PgPool) -> sqlx::Result<Vec<Note>> {
    sqlx::query_as("SELECT * FROM checker.notes ORDER BY seq").fetch_all(database).await
}

/// Every write to the domains' tables, oldest first.
pub async fn effects(database: &PgPool) -> sqlx::Result<Vec<Effect>> {
    sqlx::query_as("SELECT * FROM checker.effects ORDER BY seq").fetch_all(database).await
}

#[cfg(test)]
mod tests;
