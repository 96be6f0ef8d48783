//! S5: what was sent out is what was handled, under ids that never change, and nothing is handled before its cause.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;
use uuid::Uuid;

use super::Violation;
use crate::evidence::{Entry, Evidence, Sent};

pub fn closed(evidence: &Evidence) -> Vec<Violation> {
    let mut ids = Violation::of("S5", "a follow-up's id is not the one that its cause and position give");
    let mut twice =
        Violation::of("S5", "two follow-ups have the same id: one of them will be taken for a copy");
    let mut seen = HashSet::new();
    for entry in &evidence.ledger {
        for (derived, sent) in entry.derived() {
            if derived != sent.id {
                ids.seen(|| {
                    format!("{} {} of {}: should be {derived}", sent.message_type, sent.id, entry.name())
                });
            }
            if !seen.insert(sent.id) {
                twice.seen(|| format!("{} {} of {}", sent.message_type, sent.id, entry.name()));
            }
        }
    }
    vec![ids, twice, changed(evidence), early(evidence), on_the_wire(evidence)]
}

/// A row that is published again must say the same.
fn changed(evidence: &Evidence) -> Violation {
    let mut first: HashMap<(&str, Uuid), &str> = HashMap::new();
    let mut changed = Violation::of("S5", "what a message sent out was changed after it had been committed");
    for note in &evidence.notes {
        if let Some(md5) = note.emitted_md5.as_deref()
            && *first.entry((note.handler, note.message_id)).or_insert(md5) != md5
        {
            changed.seen(|| format!("{} {} by {}", note.message_type, note.message_id, note.handler));
        }
    }
    changed
}

/// Both times are the database's: a follow-up is published only once its cause is committed.
fn early(evidence: &Evidence) -> Violation {
    let mut first: HashMap<Uuid, OffsetDateTime> = HashMap::new();
    let mut done: HashMap<(&str, Uuid), OffsetDateTime> = HashMap::new();
    for note in &evidence.notes {
        let earliest = first.entry(note.message_id).or_insert(note.noted_at);
        *earliest = note.noted_at.min(*earliest);
        if note.status == "succeeded" {
            done.entry((note.handler, note.message_id)).or_insert(note.noted_at);
        }
    }
    let mut early = Violation::of(
        "S5",
        "a follow-up was handled before its cause was committed: it was published too soon",
    );
    for entry in &evidence.ledger {
        let Some(cause) = done.get(&(entry.handler.as_str(), entry.message_id)) else { continue };
        for sent in &entry.emitted {
            if let Some(effect) = first.get(&sent.id).filter(|effect| *effect < cause) {
                early.seen(|| {
                    format!("{} {} at {effect}, {} at {cause}", sent.message_type, sent.id, entry.name())
                });
            }
        }
    }
    early
}

/// However often a message was published: each copy says what its handler has kept, and nothing else.
fn on_the_wire(evidence: &Evidence) -> Violation {
    let kept: HashMap<Uuid, (&Entry, &Sent)> = evidence
        .ledger
        .iter()
        .flat_map(|entry| entry.emitted.iter().map(move |sent| (sent.id, (entry, sent))))
        .collect();
    let mut other = Violation::of("S5", "a message in a queue is not what its handler has kept of it");
    for letter in &evidence.waiting {
        // One that was never sent is a phantom, which another rule finds.
        let Some((entry, sent)) = letter.id().and_then(|id| kept.get(&id)) else { continue };
        let job = entry.job_id.to_string();
        let expected = (sent.message_type, job.as_str(), sent.body, 1);
        if (letter.message_type.as_str(), letter.job_id.as_str(), letter.body, letter.attempt) != expected {
            other.seen(|| format!("{} {} of {}", letter.message_type, letter.message_id, entry.name()));
        }
    }
    other
}
