//! L1: how long it took until things went on after each fault. Told, not judged.

use std::collections::{BTreeMap, HashMap, HashSet};

use millrace_contracts::catalog;
use millrace_protocol::DomainName;
use millrace_testkit::figures::Durations;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::evidence::{Evidence, subscribers};
use crate::history::Fault;

/// The messages that a worker held are the oldest ones; this many of them are followed.
const FOLLOWED: usize = 32;
/// How far back from a kill pending messages are looked for.
const HORIZON: usize = 50_000;

/// Faults that are further apart than this have nothing to do with each other.
const APART: Duration = Duration::seconds(2);

/// Recovery by kind of fault.
pub fn measure(evidence: &Evidence) -> BTreeMap<&'static str, Durations> {
    BTreeMap::from([
        ("worker_killed", spread(worker_killed(evidence, |_| true))),
        ("worker_killed_alone", spread(worker_killed(evidence, |fault| is_alone(evidence, fault)))),
        ("broker_back", spread(broker_back(evidence))),
        ("postgres_back", spread(postgres_back(evidence))),
        ("blocked_503", spread(blocked(evidence))),
    ])
}

/// By clocks that may have been set meanwhile.
fn spread(times: Vec<Duration>) -> Durations {
    Durations::of(times.into_iter().map(|time| time.try_into().unwrap_or_default()))
}

fn is_about(fault: &Fault, words: &[&str]) -> bool {
    let text = format!("{} {}", fault.kind, fault.target).to_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Whether nothing else was broken when this began, nor for some seconds before and after.
fn is_alone(evidence: &Evidence, fault: &Fault) -> bool {
    let (from, to) = (fault.started_at - APART, fault.started_at + APART);
    let over =
        |other: &Fault| other.back_at.or(other.healed_at).unwrap_or(other.started_at).max(other.started_at);
    let others = evidence.faults.iter().filter(|other| !std::ptr::eq(*other, fault));
    !others.into_iter().any(|other| other.started_at < to && over(other) > from)
}

/// From the kill to the end of the oldest messages of its domain that were pending then: an upper bound, which whatever
/// else was broken at that time lengthens.
fn worker_killed(evidence: &Evidence, counts: impl Fn(&Fault) -> bool) -> Vec<Duration> {
    let kills: Vec<(&Fault, DomainName)> = evidence
        .faults
        .iter()
        .filter(|fault| fault.kind.contains("kill") && counts(fault))
        .filter_map(|fault| {
            Some((fault, catalog().domains().iter().copied().find(|it| fault.target.contains(it.as_str()))?))
        })
        .collect();
    if kills.is_empty() {
        return Vec::new();
    }
    let waits = waits(evidence);
    let mut times = Vec::new();
    for (fault, domain) in kills {
        let Some(waits) = waits.get(&domain) else { continue };
        let killed_at = fault.started_at;
        let before = waits.partition_point(|(from, _)| *from <= killed_at);
        let pending = waits[before.saturating_sub(HORIZON)..before].iter().filter(|(_, to)| *to > killed_at);
        if let Some(last) = pending.take(FOLLOWED).map(|(_, to)| *to).max() {
            times.push(last - killed_at);
        }
    }
    times
}

/// For each domain, from when to when each message waited, oldest first. Messages that were to wait are left out.
fn waits(evidence: &Evidence) -> HashMap<DomainName, Vec<(OffsetDateTime, OffsetDateTime)>> {
    let mut retried = HashSet::new();
    let mut done: HashMap<(&str, Uuid), OffsetDateTime> = HashMap::new();
    for note in &evidence.notes {
        match note.status {
            "retrying" => drop(retried.insert((note.handler, note.message_id))),
            _ => drop(done.entry((note.handler, note.message_id)).or_insert(note.noted_at)),
        }
    }
    let mut waits: HashMap<DomainName, Vec<_>> = HashMap::new();
    let mut wait = |domain: DomainName, message: Uuid, from: OffsetDateTime| {
        let key = (domain.as_str(), message);
        if let Some(to) = done.get(&key).filter(|to| **to > from && !retried.contains(&key)) {
            waits.entry(domain).or_default().push((from, *to));
        }
    };
    for (submit, job) in evidence.history.accepted() {
        for domain in subscribers(&submit.command) {
            wait(domain, job, submit.answered_at.unwrap_or(submit.invoked_at));
        }
    }
    for entry in &evidence.ledger {
        let Some(from) = done.get(&(entry.handler.as_str(), entry.message_id)) else { continue };
        for sent in &entry.emitted {
            subscribers(sent.message_type).for_each(|domain| wait(domain, sent.id, *from));
        }
    }
    waits.values_mut().for_each(|waits| waits.sort_unstable());
    waits
}

/// From the broker's answering again to the next job that is taken.
fn broker_back(evidence: &Evidence) -> Vec<Duration> {
    let mut taken: Vec<OffsetDateTime> =
        evidence.history.accepted().filter_map(|(submit, _)| submit.answered_at).collect();
    next_after(evidence, &["broker", "rabbit"], &mut taken)
}

/// From the database's answering again to the next row.
fn postgres_back(evidence: &Evidence) -> Vec<Duration> {
    let mut noted: Vec<OffsetDateTime> = evidence.notes.iter().map(|note| note.noted_at).collect();
    next_after(evidence, &["postgres", "database"], &mut noted)
}

fn next_after(evidence: &Evidence, words: &[&str], moments: &mut [OffsetDateTime]) -> Vec<Duration> {
    moments.sort_unstable();
    let next = |fault: &Fault| {
        let back_at = fault.back_at.filter(|_| is_about(fault, words))?;
        Some(*moments.get(moments.partition_point(|moment| *moment < back_at))? - back_at)
    };
    evidence.faults.iter().filter_map(next).collect()
}

/// How long the answer 503 took while the broker took nothing.
fn blocked(evidence: &Evidence) -> Vec<Duration> {
    let alarms: Vec<&Fault> = evidence.faults.iter().filter(|fault| is_about(fault, &["alarm"])).collect();
    let during = |at: OffsetDateTime| {
        alarms.iter().any(|fault| fault.started_at <= at && fault.healed_at.is_some_and(|healed| at < healed))
    };
    let refused = evidence.history.submits.iter().filter(|submit| submit.answer.reason().starts_with("503"));
    refused
        .filter(|submit| during(submit.invoked_at))
        .filter_map(|submit| Duration::try_from(submit.took?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::given::{PLACED, good};

    fn fault(kind: &str, target: &str, started_at: OffsetDateTime) -> Fault {
        let (kind, target) = (kind.to_owned(), target.to_owned());
        Fault { kind, target, started_at, healed_at: None, back_at: Some(started_at) }
    }

    fn took_ms(ms: i64) -> Durations {
        spread(vec![Duration::milliseconds(ms)])
    }

    #[test]
    fn a_kill_is_over_when_what_was_pending_is_done() {
        let mut evidence = good();
        let noted = evidence.notes.iter().find(|note| note.message_id == *PLACED).map(|note| note.noted_at);
        let done = noted.expect("it was handled");
        // Its cause was committed a second before.
        evidence.faults =
            vec![fault("worker-killed", "payments-worker-1", done - Duration::milliseconds(400))];
        let measured = measure(&evidence);
        assert_eq!(measured["worker_killed"], took_ms(400));
        assert_eq!(measured["worker_killed_alone"].count(), 1);
        evidence.faults.push(fault("database-killed", "database", done - Duration::milliseconds(300)));
        let measured = measure(&evidence);
        assert_eq!(measured["worker_killed_alone"].count(), 0);
        assert_eq!(measured["postgres_back"], took_ms(300));
    }

    #[test]
    fn the_broker_is_back_when_a_job_is_taken() {
        let mut evidence = good();
        let taken = evidence.history.submits[1].answered_at.expect("it was answered");
        evidence.faults = vec![fault("broker-killed", "broker", taken - Duration::milliseconds(700))];
        assert_eq!(measure(&evidence)["broker_back"], took_ms(700));
    }
}
