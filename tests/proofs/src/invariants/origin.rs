//! S3, S9, R1: everything that happened was asked for, by whom it says.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::Violation;
use crate::evidence::Evidence;
use crate::history::{Answer, Submit};

/// Every row traces to a submit, every effect to a body.
pub fn no_phantoms(evidence: &Evidence) -> Vec<Violation> {
    let (origins, poisoned) = (evidence.origins(), evidence.poisoned());
    let mut jobs = Violation::of("S3", "a job was handled that nobody posted");
    for (job, _) in origins.iter().filter(|(_, origin)| origin.is_none()) {
        jobs.seen(|| format!("job {job}"));
    }
    let sent: HashMap<Uuid, (Uuid, Uuid)> = evidence
        .ledger
        .iter()
        .flat_map(|entry| entry.emitted.iter().map(move |sent| (sent.id, (entry.message_id, entry.job_id))))
        .collect();
    let mut messages = Violation::of("S3", "a message was handled, or lies in a queue, that nobody sent out");
    for entry in
        evidence.ledger.iter().filter(|entry| !entry.is_root() && !poisoned.contains(&entry.message_id))
    {
        if sent.get(&entry.message_id) != Some(&(entry.causation_id, entry.job_id)) {
            messages.seen(|| {
                format!(
                    "{} of job {}, said to follow from {}",
                    entry.name(),
                    entry.job_id,
                    entry.causation_id
                )
            });
        }
    }
    for letter in &evidence.waiting {
        if letter.id().is_none_or(|id| !sent.contains_key(&id)) {
            messages
                .seen(|| format!("{} {} lies in {}", letter.message_type, letter.message_id, letter.queue));
        }
    }
    vec![jobs, messages, strange_rows(evidence)]
}

/// Rows whose key stands in no body that may have been queued.
fn strange_rows(evidence: &Evidence) -> Violation {
    let may_be = |submit: &&Submit| !matches!(submit.answer, Answer::Refused(_));
    let named = |field: &'static str| -> HashSet<Uuid> {
        evidence.history.submits.iter().filter(may_be).filter_map(|submit| submit.id_of(field)).collect()
    };
    let (orders, users, keys) = (named("order_id"), named("user_id"), named("key_id"));
    let mut strange = Violation::of("S3", "a row was made that no posted job speaks of");
    for effect in evidence.effects.iter().filter(|effect| effect.txid >= evidence.prepared_below) {
        let known = match effect.place {
            "orders.orders" | "payments.payments" => &orders,
            "users.users" | "auth.accounts" | "orders.customers" => &users,
            "auth.api_keys" => &keys,
            _ => continue,
        };
        if !effect.key.parse().is_ok_and(|key: Uuid| known.contains(&key)) {
            strange.seen(|| format!("{} {}", effect.place, effect.key));
        }
    }
    strange
}

/// A job keeps its client from the first row to the last.
pub fn right_client(evidence: &Evidence) -> Vec<Violation> {
    let mut wrong = Violation::of("S9", "a row belongs to another client than the one that posted the job");
    for entry in evidence.ledger.iter().filter(|entry| entry.client_id != evidence.client) {
        wrong.seen(|| format!("{} of job {}: client {}", entry.name(), entry.job_id, entry.client_id));
    }
    vec![wrong]
}

/// What was certainly not queued is nowhere. Where the same body was posted again, the copy may be the one that is there.
pub fn refused_leaves_no_trace(evidence: &Evidence) -> Vec<Violation> {
    let mut done = Violation::of("R1", "a job was handled though its client was told that it was not queued");
    for (job, origin) in evidence.origins() {
        if let Some(submit) = origin.filter(|submit| matches!(submit.answer, Answer::Refused(_))) {
            done.seen(|| format!("job {job}, {}", submit.name()));
        }
    }
    vec![done]
}
