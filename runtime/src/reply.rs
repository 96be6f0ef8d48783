//! Replies to API processes that wait: the ledger row of a job's own command, sent as soon as it is committed.

use millrace_broker::{Replier, ReplyAddress};
use millrace_protocol::ledger::{Emitted, Status};
use millrace_protocol::{DomainName, Envelope, Reply};
use serde::de::DeserializeOwned;

use crate::decode::BatchItem;
use crate::domain::Domain;
use crate::ledger::Entry;
use crate::settle::Settlement;

/// Replies to whoever waits for a job of this batch. Items and settlements are in the same order.
pub fn send<D: Domain>(replier: &Replier, items: &[BatchItem<D>], settlements: &[Settlement]) {
    for (item, settlement) in items.iter().zip(settlements) {
        if let Some((address, envelope)) = awaited(item)
            && let Some(reply) = reply(D::NAME, settlement.entry.as_ref())
        {
            replier.send(address.clone(), envelope.job_id, reply);
        }
    }
}

/// The address at which an API process waits for the job whose own command this is.
fn awaited<D: Domain>(item: &BatchItem<D>) -> Option<(&ReplyAddress, &Envelope)> {
    let (address, envelope) = (item.incoming.reply_to.as_ref()?, item.envelope()?);
    (envelope.message_id == envelope.job_id.first_message()).then_some((address, envelope))
}

/// The reply's body; `None` for an attempt that another one will follow.
fn reply(handler: DomainName, entry: Option<&Entry>) -> Option<Vec<u8>> {
    let reply = match entry {
        Some(entry) if entry.status == Status::Retrying => return None,
        Some(entry) => Some(Reply {
            handler: handler.to_string(),
            message_type: entry.message_type.clone(),
            status: entry.status,
            attempts: entry.attempts.unsigned_abs(),
            result: parsed(entry.result.as_deref()),
            problem: parsed(entry.problem.as_deref()),
            emitted: parsed::<Vec<Emitted>>(entry.emitted.as_deref()).unwrap_or_default(),
            received_at: entry.received_at,
            handled_at: entry.handled_at,
        }),
        // Handled before.
        None => None,
    };
    Some(serde_json::to_vec(&reply).expect("a ledger row is plain data"))
}

/// The ledger's own JSON, read again: only for the few jobs that are waited for.
fn parsed<T: DeserializeOwned>(json: Option<&str>) -> Option<T> {
    json.and_then(|json| serde_json::from_str(json).ok())
}
