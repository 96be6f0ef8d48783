//! The ledger: which messages are done, and the row that says so, written with the work itself.

use std::collections::HashMap;

use millrace_contracts::Domain;
use millrace_faults::{Mutant, mutated};
use sqlx::{PgConnection, query_file};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::runtime::emit::Emitted;
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

/// How a message stands with a handler. Only the first two suppress a copy of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Succeeded,
    Refused,
    Retrying,
    Dead,
}

impl Status {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::Retrying => "retrying",
            Self::Dead => "dead",
        }
    }
}

/// The messages among these that the handler is done with, and what each sent out.
pub async fn lookup(
    connection: &mut PgConnection,
    handler: &str,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Emitted>>, sqlx::Error> {
    let (Some(lowest), Some(highest)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(HashMap::new());
    };
    if mutated(Mutant::NoDedupe) {
        return Ok(HashMap::new());
    }
    let own = |domain: &&Domain| domain.name() == handler || mutated(Mutant::KeyWithoutHandler);
    let mut rows = Vec::new();
    for domain in Domain::ALL.iter().filter(own) {
        let found = query_file!("src/runtime/lookup.sql", domain.name(), ids, lowest, highest);
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
    handler: &str,
    entries: &[&Entry],
) -> Result<(), SaveError> {
    if entries.is_empty() {
        return Ok(());
    }
    let column =
        |of: fn(&Entry) -> &String| entries.iter().map(|entry| of(entry).clone()).collect::<Vec<_>>();
    let optional =
        |of: fn(&Entry) -> &Option<String>| entries.iter().map(|entry| of(entry).clone()).collect::<Vec<_>>();
    let ids = |of: fn(&Entry) -> Uuid| entries.iter().map(|entry| of(entry)).collect::<Vec<_>>();
    let written = query_file!(
        "src/runtime/record.sql",
        handler,
        &ids(|entry| entry.message_id),
        &ids(|entry| entry.job_id),
        &ids(|entry| entry.causation_id),
        &column(|entry| &entry.client_id),
        &column(|entry| &entry.message_type),
        &entries.iter().map(|entry| entry.status.name().to_owned()).collect::<Vec<_>>(),
        &entries.iter().map(|entry| entry.attempts).collect::<Vec<_>>(),
        &column(|entry| &entry.fingerprint),
        &optional(|entry| &entry.result) as &[Option<String>],
        &optional(|entry| &entry.problem) as &[Option<String>],
        &optional(|entry| &entry.emitted) as &[Option<String>],
        &entries.iter().map(|entry| entry.received_at).collect::<Vec<_>>(),
        &entries.iter().map(|entry| entry.handled_at).collect::<Vec<_>>(),
    )
    .fetch_all(connection)
    .await?;
    let written = u64::try_from(written.len()).unwrap_or(u64::MAX);
    all_written("ledger.entries", entries.len(), written)
}
