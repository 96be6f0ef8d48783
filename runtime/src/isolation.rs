//! Isolation of messages that may have killed a process: those that were delivered again because a process died, or lost its
//! connection, while it held them.
//!
//! Which of the messages that a process held was the cause nobody knows, and nearly always none was: most were only waiting
//! in its memory. So redelivered messages are processed in small batches, and that an attempt starts is recorded before it
//! does. A recorded message was really being processed when the process died, so its next batch is smaller, and the one
//! after that holds it alone. A message that kills the process even then is given up in the end. What was delivered
//! together with it is done by then, long before the broker would give it up for its number of deliveries.

use std::collections::HashMap;

use millrace_broker::Incoming;
use millrace_faults::{Point, reach};
use sqlx::{PgConnection, query_file};
use uuid::Uuid;

use crate::session::{Handler, Session};

/// A message is given up when the process has died this often while it processed that message alone.
///
/// Processes are also killed from outside. That this happens three times, each time with the same message alone, is as good
/// as excluded.
pub const CRASHES_MAX: u32 = 3;

/// From this many redeliveries on, few messages should be delivered along with such a one: fewer are bad luck with one process.
const OFTEN: u64 = 3;

/// How many attempts at each message, by its id, started and did not end.
type UnfinishedAttempts = HashMap<Uuid, u32>;

/// Messages that are processed together.
#[derive(Debug)]
pub struct IsolationBatch {
    /// In the order of their delivery.
    pub deliveries: Vec<Incoming>,
    /// How often the process has died while it processed the one message of this batch alone.
    pub crashes: u32,
    size_max: usize,
}

/// Maximum batch size for a redelivered message with this many unfinished attempts.
const fn size_max(unfinished: u32) -> usize {
    match unfinished {
        0 => 32,
        1 => 4,
        _ => 1,
    }
}

/// How many of its unfinished attempts a message was alone in.
const fn crashes(unfinished: u32) -> u32 {
    unfinished.saturating_sub(2)
}

/// Whether the message was redelivered so often that few others should be delivered along with it.
pub fn is_redelivered_often(incoming: &Incoming) -> bool {
    incoming.delivery_count >= OFTEN
}

/// The id of a redelivered message. One without an envelope is dead-lettered without being processed.
fn redelivered_id(incoming: &Incoming) -> Option<Uuid> {
    let envelope = incoming.envelope.as_ref().ok()?;
    (incoming.delivery_count > 0).then_some(envelope.message_id.0)
}

fn redelivered_ids(deliveries: &[Incoming]) -> Vec<Uuid> {
    deliveries.iter().filter_map(redelivered_id).collect()
}

/// Splits deliveries, in order: no message comes into a larger batch than its unfinished attempts allow.
pub fn split_by_risk(deliveries: Vec<Incoming>, unfinished: &UnfinishedAttempts) -> Vec<IsolationBatch> {
    let mut batches: Vec<IsolationBatch> = Vec::new();
    for incoming in deliveries {
        let attempts = redelivered_id(&incoming).map(|id| unfinished.get(&id).copied().unwrap_or(0));
        let size_max = attempts.map_or(usize::MAX, size_max);
        match batches.last_mut() {
            Some(batch) if batch.size_max == size_max && batch.deliveries.len() < size_max => {
                batch.deliveries.push(incoming);
            }
            _ => batches.push(IsolationBatch {
                deliveries: vec![incoming],
                crashes: attempts.map_or(0, crashes),
                size_max,
            }),
        }
    }
    batches
}

/// The unfinished attempts at the redelivered ones of these messages.
pub async fn unfinished_attempts(session: &mut Session, deliveries: &[Incoming]) -> UnfinishedAttempts {
    let ids = redelivered_ids(deliveries);
    if ids.is_empty() {
        return UnfinishedAttempts::new();
    }
    session
        .retry_outages(&ids, |connection, handler, ids| {
            Box::pin(async move {
                let rows = query_file!("src/unfinished_attempts.sql", handler.domain.as_str(), ids)
                    .fetch_all(connection)
                    .await?;
                Ok(rows.into_iter().map(|row| (row.message_id, row.attempts.unsigned_abs())).collect())
            })
        })
        .await
}

/// Records that an attempt at the redelivered ones of these messages starts.
pub async fn record_start(session: &mut Session, deliveries: &[Incoming]) {
    let ids = redelivered_ids(deliveries);
    if ids.is_empty() {
        return;
    }
    session
        .retry_outages(&ids, |connection, handler, ids| {
            Box::pin(async move {
                query_file!("src/record_start.sql", handler.domain.as_str(), ids).execute(connection).await?;
                Ok(())
            })
        })
        .await;
    reach(Point::StartRecorded);
}

/// In the transaction that settles them: forgets the started attempts at redelivered messages, which did not kill the process.
///
/// The record of a message that is given up for its crashes stays until `ops prune` deletes it: should the process die
/// before the broker knows that the message is settled, it must not be processed again.
pub async fn clear_starts(
    connection: &mut PgConnection,
    handler: &Handler,
    survived: impl Iterator<Item = &Incoming>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = survived.filter_map(redelivered_id).collect();
    if !ids.is_empty() {
        query_file!("src/clear_starts.sql", handler.domain.as_str(), &ids).execute(connection).await?;
    }
    Ok(())
}
