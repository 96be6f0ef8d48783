//! S8: versions and attempts are counted without gap or repeat.

use std::collections::HashMap;

use millrace_contracts::catalog;
use millrace_protocol::RetrySchedule;
use uuid::Uuid;

use super::Violation;
use crate::evidence::Evidence;

pub fn contiguous(evidence: &Evidence) -> Vec<Violation> {
    let mut gaps =
        Violation::of("S8", "a row's version jumped or was written twice: a change was lost or doubled");
    let mut versions: HashMap<(&str, &str), Option<i64>> = HashMap::new();
    for effect in &evidence.effects {
        let at = versions.entry((effect.place, &effect.key)).or_default();
        let next = at.map_or(1, |version| version + 1);
        let fits = effect.old_version == *at && effect.new_version.is_none_or(|version| version == next);
        if !fits {
            let (was, old, new) = (*at, effect.old_version, effect.new_version);
            gaps.seen(|| {
                format!("{} {}: was {was:?}, then {old:?} became {new:?}", effect.place, effect.key)
            });
        }
        // A row that was deleted begins anew.
        *at = effect.new_version;
    }
    let mut skipped = Violation::of("S8", "an attempt was counted that was never made");
    let mut too_many = Violation::of("S8", "a message was tried more often than its policy allows");
    let mut attempts: HashMap<(&str, Uuid), i32> = HashMap::new();
    for note in &evidence.notes {
        let highest = attempts.entry((note.handler, note.message_id)).or_default();
        if note.attempts > *highest + 1 {
            skipped.seen(|| {
                format!(
                    "{} {} by {}: attempt {} after {highest}",
                    note.message_type, note.message_id, note.handler, note.attempts
                )
            });
        }
        *highest = note.attempts.max(*highest);
        let policy = catalog().find(note.message_type).map_or(RetrySchedule::QUICK, |entry| entry.retry);
        if i64::from(note.attempts) > i64::from(policy.max_attempts()) {
            too_many.seen(|| format!("{} {}: attempt {}", note.message_type, note.message_id, note.attempts));
        }
    }
    vec![gaps, skipped, too_many]
}
