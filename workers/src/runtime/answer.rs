//! Answers to doors that wait: the row of a job's own command, told as soon as it is committed.

use millrace_broker::{Replier, ReplyAddress};
use millrace_contracts::Envelope;
use millrace_contracts::ledger::{Emitted, Status};
use millrace_contracts::reply::Reply;
use serde::de::DeserializeOwned;

use crate::domain::Domain;
use crate::runtime::gather::Member;
use crate::runtime::ledger::Entry;
use crate::runtime::settle::Settlement;

/// Tells whoever waits for a job of this batch. Members and settlements are in the same order.
pub fn answer<D: Domain>(replier: &Replier, members: &[Member<D>], settlements: &[Settlement]) {
    for (member, settlement) in members.iter().zip(settlements) {
        if let Some((address, envelope)) = awaited(member)
            && let Some(reply) = reply(D::NAME, settlement.entry.as_ref())
        {
            replier.send(address.clone(), envelope.job_id, reply);
        }
    }
}

/// Where somebody waits for the job whose own command this is. A foreign message tells nobody anything.
fn awaited<D: Domain>(member: &Member<D>) -> Option<(&ReplyAddress, &Envelope)> {
    let (address, envelope) = (member.incoming.reply_to.as_ref()?, member.envelope()?);
    (envelope.message_id == envelope.job_id.first_message()).then_some((address, envelope))
}

/// The answer's body; `None` for an attempt that is not the last word.
fn reply(handler: millrace_contracts::Domain, entry: Option<&Entry>) -> Option<Vec<u8>> {
    let reply = match entry {
        Some(entry) if entry.status == Status::Retrying => return None,
        Some(entry) => Some(Reply {
            handler: handler.name().to_owned(),
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

/// Our own JSON, read again: only for the few jobs that are waited for.
fn parsed<T: DeserializeOwned>(json: Option<&str>) -> Option<T> {
    json.and_then(|json| serde_json::from_str(json).ok())
}
