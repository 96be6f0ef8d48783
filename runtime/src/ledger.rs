//! The ledger: which messages are done, and the row that says so, written with the work itself.

use std::collections::HashMap;

use millrace_faults::{Mutant, mutated};
use millrace_protocol::DomainName;
use millrace_protocol::ledger::{FollowUp, Status};
use sqlx::{PgConnection, query_file};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::session::Handler;
use crate::store::{SaveError, all_written};

/// One ledger row.
#[derive(Debug)]
pub struct Entry {
    pub message_id: Uuid,
    pub job_id: Uuid,
    pub causation_id: Uuid,
    pub client_id: String,
    pub message_type: String,
    pub status: Status,
    pub attempts: i32,
    pub fingerprint: String,
    pub result: Option<String>,
    pub problem: Option<String>,
    pub emitted: Option<String>,
    pub received_at: OffsetDateTime,
    pub handled_at: OffsetDateTime,
}

/// The messages among these that the handler is done with, and what each sent out.
pub async fn lookup(
    connection: &mut PgConnection,
    handler: &Handler,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<FollowUp>>, sqlx::Error> {
    let (Some(lowest), Some(highest)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(HashMap::new());
    };
    if mutated(Mutant::NoDedupe) {
        return Ok(HashMap::new());
    }
    let own = |domain: &&DomainName| **domain == handler.domain || mutated(Mutant::KeyWithoutHandler);
    let mut rows = Vec::new();
    for domain in handler.catalog.domains().iter().filter(own) {
        let found = query_file!("src/lookup.sql", domain.as_str(), ids, lowest, highest);
        rows.extend(found.fetch_all(&mut *connection).await?);
    }
    rows.into_iter()
        .map(|row| {
            let emitted = row.emitted.as_deref().unwrap_or("[]");
            let emitted = serde_json::from_str(emitted).map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok((row.message_id, emitted))
        })
        .collect()
}

/// Writes the batch's rows.
pub async fn record(
    connection: &mut PgConnection,
    handler: &Handler,
    entries: &[&Entry],
) -> Result<(), SaveError> {
    if entries.is_empty() {
        return Ok(());
    }
    let ids = |of: fn(&Entry) -> Uuid| column(entries, of);
    let text = |of: fn(&Entry) -> &str| column(entries, of);
    let optional = |of: fn(&Entry) -> Option<&str>| column(entries, of);
    let written = query_file!(
        "src/record.sql",
        handler.domain.as_str(),
        &ids(|entry| entry.message_id),
        &ids(|entry| entry.job_id),
        &ids(|entry| entry.causation_id),
        &text(|entry| &entry.client_id) as &[&str],
        &text(|entry| &entry.message_type) as &[&str],
        &text(|entry| entry.status.name()) as &[&str],
        &column(entries, |entry| entry.attempts),
        &text(|entry| &entry.fingerprint) as &[&str],
        &optional(|entry| entry.result.as_deref()) as &[Option<&str>],
        &optional(|entry| entry.problem.as_deref()) as &[Option<&str>],
        &optional(|entry| entry.emitted.as_deref()) as &[Option<&str>],
        &column(entries, |entry| entry.received_at),
        &column(entries, |entry| entry.handled_at),
    )
    .fetch_all(connection)
    .await?;
    let written = u64::try_from(written.len()).unwrap_or(u64::MAX);
    all_written("ledger.entries", entries.len(), written)
}

fn column<'a, T>(entries: &[&'a Entry], of: impl Fn(&'a Entry) -> T) -> Vec<T> {
    entries.iter().map(|entry| of(entry)).collect()
}
