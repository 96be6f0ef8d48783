//! S1: nothing that was taken is lost.

use std::collections::HashSet;

use millrace_protocol::DomainName;
use uuid::Uuid;

use super::Violation;
use crate::evidence::{Evidence, subscribers};

pub fn nothing_is_lost(evidence: &Evidence) -> Vec<Violation> {
    let rows = evidence.rows();
    let mut jobs = Violation::of("S1", "a job that was answered with 202 was never handled: it is lost");
    for (submit, job) in evidence.history.accepted() {
        let mut domains = subscribers(&submit.command).filter(|domain| evidence.has(*domain));
        if !domains.all(|domain| rows.contains_key(&(domain, job))) {
            jobs.seen(|| format!("job {job}, {}: no ledger row", submit.name()));
        }
    }
    let mut follow_ups = Violation::of(
        "S1",
        "a follow-up never reached a domain that subscribes to it: the flow broke off there",
    );
    let waiting: HashSet<(&str, Option<Uuid>)> =
        evidence.waiting.iter().map(|letter| (letter.queue.as_str(), letter.id())).collect();
    let arrived = |domain: DomainName, id: Uuid| match evidence.has(domain) {
        true => rows.contains_key(&(domain, id)),
        false => waiting.contains(&(domain.as_str(), Some(id))),
    };
    let took_part = |domain: &DomainName| {
        evidence.has(*domain) || evidence.queues.iter().any(|queue| queue.name == domain.as_str())
    };
    for entry in &evidence.ledger {
        for sent in &entry.emitted {
            let domains = subscribers(sent.message_type).filter(took_part);
            for domain in domains.filter(|domain| !arrived(*domain, sent.id)) {
                follow_ups.seen(|| {
                    format!(
                        "{} {} to {domain}, sent by {} of job {}",
                        sent.message_type,
                        sent.id,
                        entry.name(),
                        entry.job_id
                    )
                });
            }
        }
    }
    let mut open =
        Violation::of("S1", "a message is still to be retried though nothing waits: its retry is lost");
    for entry in evidence.ledger.iter().filter(|entry| !entry.is_ended()) {
        open.seen(|| format!("{} of job {}, attempt {}", entry.name(), entry.job_id, entry.attempts));
    }
    let mut mute = Violation::of("S1", "a message ended without saying why");
    for entry in evidence.ledger.iter().filter(|entry| entry.status != "succeeded" && entry.problem.is_none())
    {
        mute.seen(|| format!("{}: {} without a problem", entry.name(), entry.status));
    }
    vec![jobs, follow_ups, open, mute]
}
