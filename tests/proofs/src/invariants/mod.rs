//! The rules: what must be true afterwards. Each is a function of the evidence, and can fail.

mod attempts;
#[cfg(test)]
pub mod given;
mod loss;
mod money;
mod once;
mod order;
mod origin;
mod sessions;
mod silence;
#[cfg(test)]
mod tests;
mod trail;

use serde::Serialize;

use crate::evidence::Evidence;

const EXAMPLES: usize = 5;

/// Something that must not be, and where it was seen.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Violation {
    pub rule: &'static str,
    /// What it means, for whoever does not know the rule.
    pub meaning: &'static str,
    pub count: usize,
    pub examples: Vec<String>,
}

impl Violation {
    /// Nothing seen yet.
    pub fn of(rule: &'static str, meaning: &'static str) -> Self {
        Self { rule, meaning, count: 0, examples: Vec::new() }
    }

    /// Seen once more. Only the first few are written out.
    pub fn seen(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }
}

/// A rule's name, what it says when it holds, and how it is checked.
pub struct Rule {
    pub name: &'static str,
    pub says: &'static str,
    pub check: fn(&Evidence) -> Vec<Violation>,
}

const fn rule(name: &'static str, says: &'static str, check: fn(&Evidence) -> Vec<Violation>) -> Rule {
    Rule { name, says, check }
}

/// All of them, in the order in which they are reported.
pub const ALL: [Rule; 14] = [
    rule(
        "S1",
        "every job answered with 202, and all that follows from it, came to an end",
        loss::nothing_is_lost,
    ),
    rule("S2", "each message took effect once", once::one_effect),
    rule("S3", "nothing happened that nobody asked for", origin::no_phantoms),
    rule(
        "S4",
        "a job with an unknown answer was done whole or not at all; an id posted again gave one order",
        once::one_order,
    ),
    rule(
        "S5",
        "what was sent out is what was handled, under the same ids, cause before effect",
        trail::closed,
    ),
    rule("S6", "payments and orders agree on the money", money::agrees),
    rule("S7", "all queues are empty, and no innocent message is dead", silence::queues),
    rule(
        "S8",
        "each row's versions are 1, 2, 3 …; each message's attempts are 1, 2, 3 … up to its limit",
        order::contiguous,
    ),
    rule("S9", "every row belongs to the client that posted its job", origin::right_client),
    rule("S10", "no session hangs in a transaction", sessions::sound),
    rule(
        "P1",
        "every poisoned message is given up at its first attempt, and nothing else is",
        silence::poison,
    ),
    rule("P2", "no attempt was used up by an outage", attempts::none_wasted),
    rule("R1", "what was answered with `not queued` left no trace", origin::refused_leaves_no_trace),
    rule("J1", "every effect has a ledger row in the same transaction", once::effects_are_noted),
];

/// Checks all of them.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    ALL.iter().flat_map(|rule| (rule.check)(evidence)).filter(|violation| violation.count > 0).collect()
}
