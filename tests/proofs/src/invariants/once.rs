//! S2, S4: everything that happens, happens once.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::Violation;
use crate::evidence::{Effect, Evidence};

/// The journal has one end per message, and one of each thing that must not happen twice to an order.
pub fn one_effect(evidence: &Evidence) -> Vec<Violation> {
    let mut ends: HashMap<(&str, Uuid), usize> = HashMap::new();
    for note in evidence.notes.iter().filter(|note| ["succeeded", "refused"].contains(&note.status)) {
        *ends.entry((note.handler, note.message_id)).or_default() += 1;
    }
    let mut twice =
        Violation::of("S2", "a handler finished the same message more than once: its effect is there twice");
    for ((handler, message), count) in ends.iter().filter(|(_, count)| **count > 1) {
        twice.seen(|| format!("{message} by {handler}: finished {count} times"));
    }
    let mut unseen = Violation::of("S2", "a ledger row says done, but the journal never saw it written");
    for entry in evidence.ledger.iter().filter(|entry| ["succeeded", "refused"].contains(&entry.status)) {
        if !ends.contains_key(&(entry.handler.as_str(), entry.message_id)) {
            unseen.seen(|| entry.name());
        }
    }
    let mut rows = Violation::of("S2", "something happened more than once to the same order, user or key");
    let mut times: HashMap<(&str, &str, &str), usize> = HashMap::new();
    for effect in &evidence.effects {
        if let Some(event) = once_only(effect) {
            *times.entry((effect.place, &effect.key, event)).or_default() += 1;
        }
    }
    for ((place, key, event), count) in times.iter().filter(|(_, count)| **count > 1) {
        rows.seen(|| format!("{place} {key}: {event} {count} times"));
    }
    vec![twice, unseen, rows, changed_later(evidence)]
}

/// Whoever is done with a message leaves it alone: only what failed may be tried again.
fn changed_later(evidence: &Evidence) -> Violation {
    let mut done: HashSet<(&str, Uuid)> = HashSet::new();
    let mut changed = Violation::of("S2", "a message was changed after it had come to its end");
    for note in &evidence.notes {
        let key = (note.handler, note.message_id);
        match note.status {
            "succeeded" | "refused" => drop(done.insert(key)),
            status if done.contains(&key) => {
                changed.seen(|| format!("{} {} became {status}", note.message_type, note.message_id));
            }
            _ => {}
        }
    }
    changed
}

/// What can happen to a row once in its life. Addresses alone are claimed, released and claimed again.
fn once_only(effect: &Effect) -> Option<&'static str> {
    if effect.place == "users.email_claims" {
        return None;
    }
    match (effect.operation, effect.old_state, effect.new_state) {
        ("INSERT", ..) => Some("inserted"),
        (_, before, Some(after)) if before != Some(after) => {
            // An order's state has two words, of which the second tells of its money.
            match (effect.place, after.split(' ').next_back()?) {
                ("payments.payments", "captured") => Some("charged"),
                ("payments.payments", "refunded") => Some("paid back"),
                ("orders.orders", "paid") if !before.is_some_and(|it| it.ends_with(" paid")) => Some("paid"),
                _ => None,
            }
        }
        _ => None,
    }
}

/// However often an order's id was posted, and whatever was answered, there is one order or none.
pub fn one_order(evidence: &Evidence) -> Vec<Violation> {
    let origins = evidence.origins();
    let mut placed: HashMap<Uuid, usize> = HashMap::new();
    for entry in &evidence.ledger {
        if entry.message_type == "orders.place" && entry.status == "succeeded" {
            let by_body = || origins.get(&entry.job_id).copied().flatten()?.id_of("order_id");
            if let Some(order) = entry.subject.or_else(by_body) {
                *placed.entry(order).or_default() += 1;
            }
        }
    }
    let there: HashSet<Uuid> = evidence.orders.iter().map(|order| order.order_id).collect();
    let mut many = Violation::of("S4", "the same order was placed more than once");
    let mut half =
        Violation::of("S4", "a job is done in the ledger but its order is not there: it was done by half");
    for (order, count) in &placed {
        if *count > 1 {
            many.seen(|| format!("order {order}: placed {count} times"));
        }
        if !there.contains(order) {
            half.seen(|| format!("order {order}"));
        }
    }
    let mut stray =
        Violation::of("S4", "an order is there that no job in the ledger has placed: it was done by half");
    for order in there.iter().filter(|order| !placed.contains_key(*order)) {
        stray.seen(|| format!("order {order}"));
    }
    vec![many, half, stray]
}

/// Work and ledger are one transaction.
pub fn effects_are_noted(evidence: &Evidence) -> Vec<Violation> {
    let noted: HashSet<(i64, &str)> = evidence
        .notes
        .iter()
        .filter(|note| note.status == "succeeded")
        .map(|note| (note.txid, note.handler))
        .collect();
    let mut alone =
        Violation::of("J1", "a row was changed in a transaction that finished no message of its domain");
    for effect in evidence.effects.iter().filter(|effect| effect.txid >= evidence.prepared_below) {
        let domain = effect.place.split('.').next().unwrap_or_default();
        if !noted.contains(&(effect.txid, domain)) {
            alone.seen(|| {
                format!(
                    "{} {}: {} in transaction {}",
                    effect.place, effect.key, effect.operation, effect.txid
                )
            });
        }
    }
    vec![alone]
}
