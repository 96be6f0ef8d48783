//! Reads ledger, journal and tables.

use futures_util::TryStreamExt;
use millrace_contracts::catalog;
use millrace_protocol::ledger::FollowUp;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};

use super::words::word;
use super::{Digest, Effect, Entry, Evidence, Note, Sent};

/// Everything that the database tells; the rest is empty.
pub async fn read(pool: &PgPool) -> sqlx::Result<Evidence> {
    Ok(Evidence {
        ledger: every(pool, include_str!("ledger.sql"), entry).await?,
        notes: every(pool, include_str!("notes.sql"), note).await?,
        effects: every(pool, include_str!("effects.sql"), effect).await?,
        orders: sqlx::query_as(include_str!("orders.sql")).fetch_all(pool).await?,
        payments: sqlx::query_as(include_str!("payments.sql")).fetch_all(pool).await?,
        sessions: sqlx::query_as(include_str!("sessions.sql")).fetch_all(pool).await?,
        started_attempts: sqlx::query_scalar("SELECT message_id FROM ledger.started_attempts")
            .fetch_all(pool)
            .await?,
        ..Evidence::default()
    })
}

async fn every<T>(
    pool: &PgPool,
    sql: &'static str,
    read: fn(&PgRow) -> sqlx::Result<T>,
) -> sqlx::Result<Vec<T>> {
    let (mut rows, mut all) = (sqlx::query(sql).fetch(pool), Vec::new());
    while let Some(row) = rows.try_next().await? {
        all.push(read(&row)?);
    }
    Ok(all)
}

fn entry(row: &PgRow) -> sqlx::Result<Entry> {
    let handler: &str = row.try_get("handler")?;
    let emitted: Option<&str> = row.try_get("emitted")?;
    let emitted: Vec<FollowUp> =
        serde_json::from_str(emitted.unwrap_or("[]")).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Entry {
        handler: catalog()
            .domain(handler)
            .ok_or_else(|| sqlx::Error::Decode(format!("`{handler}` is no handler").into()))?,
        message_id: row.try_get("message_id")?,
        job_id: row.try_get("job_id")?,
        causation_id: row.try_get("causation_id")?,
        client_id: word(row.try_get("client_id")?),
        message_type: word(row.try_get("type")?),
        status: word(row.try_get("status")?),
        attempts: row.try_get("attempts")?,
        fingerprint: row.try_get("fingerprint")?,
        subject: row.try_get::<Option<&str>, _>("subject")?.and_then(|id| id.parse().ok()),
        problem: row.try_get::<Option<&str>, _>("problem")?.map(word),
        emitted: emitted
            .into_iter()
            .map(|sent| Sent {
                id: sent.id.0,
                message_type: word(&sent.message_type),
                body: Digest::of(sent.body.get().as_bytes()),
            })
            .collect(),
    })
}

fn note(row: &PgRow) -> sqlx::Result<Note> {
    Ok(Note {
        handler: word(row.try_get("handler")?),
        message_id: row.try_get("message_id")?,
        message_type: word(row.try_get("type")?),
        status: word(row.try_get("status")?),
        attempts: row.try_get("attempts")?,
        problem: row.try_get::<Option<&str>, _>("problem")?.map(word),
        emitted_md5: row.try_get("emitted_md5")?,
        txid: row.try_get("txid")?,
        noted_at: row.try_get("noted_at")?,
    })
}

fn effect(row: &PgRow) -> sqlx::Result<Effect> {
    Ok(Effect {
        operation: word(row.try_get("operation")?),
        place: word(row.try_get("place")?),
        key: row.try_get("key")?,
        old_version: row.try_get("old_version")?,
        new_version: row.try_get("new_version")?,
        old_state: row.try_get::<Option<&str>, _>("old_state")?.map(word),
        new_state: row.try_get::<Option<&str>, _>("new_state")?.map(word),
        txid: row.try_get("txid")?,
        noted_at: row.try_get("noted_at")?,
    })
}
