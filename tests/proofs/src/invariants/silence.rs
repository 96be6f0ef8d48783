//! S7, P1: the queues are empty, and among the dead letters is what was poisoned and nothing else.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::Violation;
use crate::evidence::{Evidence, Letter};
use crate::history::{CRASH, Poison};

/// Nothing is under way, nothing fits no queue, no attempt is unfinished.
pub fn queues(evidence: &Evidence) -> Vec<Violation> {
    let mut left = Violation::of("S7", "a queue is not empty");
    for queue in evidence.queues.iter().filter(|queue| !queue.name.ends_with(".dead")) {
        if queue.ready + queue.unacked > 0 {
            left.seen(|| format!("{}: {} ready, {} unacknowledged", queue.name, queue.ready, queue.unacked));
        }
    }
    let given_up: HashSet<Uuid> = evidence
        .history
        .poison
        .iter()
        .filter(|poison| poison.class == CRASH)
        .filter_map(|poison| poison.message_id.parse().ok())
        .collect();
    let mut started = Violation::of("S7", "attempts at messages started and never ended");
    // One that was given up keeps its started attempts, so that it is not started again should it come back.
    for message in evidence.started_attempts.iter().filter(|message| !given_up.contains(*message)) {
        started.seen(|| format!("{message} in ledger.started_attempts"));
    }
    let poisoned: HashSet<&str> =
        evidence.history.poison.iter().map(|poison| poison.message_id.as_str()).collect();
    let mut innocent =
        Violation::of("S7", "an innocent message is a dead letter: work that was asked for is not done");
    for letter in evidence.letters.iter().filter(|letter| !poisoned.contains(letter.message_id.as_str())) {
        innocent.seen(|| told(letter));
    }
    vec![left, started, innocent]
}

/// All that was poisoned is given up, at once.
pub fn poison(evidence: &Evidence) -> Vec<Violation> {
    let dead: HashSet<(&str, &str)> =
        evidence.letters.iter().map(|letter| (letter.queue.as_str(), letter.message_id.as_str())).collect();
    let mut gone =
        Violation::of("P1", "a message that must be given up has vanished: nobody can look at it any more");
    for poison in evidence.history.poison.iter().filter(|poison| poison.confirmed) {
        if !dead.contains(&(format!("{}.dead", poison.queue).as_str(), poison.message_id.as_str())) {
            gone.seen(|| format!("{} ({}) to {}", poison.message_id, poison.kind, poison.queue));
        }
    }
    let known: HashMap<&str, &Poison> =
        evidence.history.poison.iter().map(|poison| (poison.message_id.as_str(), poison)).collect();
    let mut retried = Violation::of("P1", "a message that must be given up was tried more than once");
    let mut reason =
        Violation::of("P1", "a dead letter gives another reason than the one that it is dead for");
    let mut body = Violation::of("P1", "a dead letter has another body than the message that was published");
    for letter in &evidence.letters {
        let Some(poison) = known.get(letter.message_id.as_str()) else { continue };
        if letter.attempt > 1 {
            retried.seen(|| told(letter));
        }
        if letter.class != poison.class {
            reason.seen(|| told(letter));
        }
        if poison.body.is_some_and(|body| body != letter.body) {
            body.seen(|| told(letter));
        }
    }
    let poisoned = evidence.poisoned();
    let mut dead = Violation::of("P1", "the ledger gave a message up that could be read");
    let mut alive = Violation::of("P1", "a message that nobody can read was done");
    for entry in &evidence.ledger {
        match (poisoned.contains(&entry.message_id), entry.status) {
            (false, "dead") => {
                dead.seen(|| {
                    format!("{} of job {}: {}", entry.name(), entry.job_id, entry.problem.unwrap_or_default())
                });
            }
            (true, "succeeded" | "refused") => alive.seen(|| format!("{}: {}", entry.name(), entry.status)),
            _ => {}
        }
    }
    vec![gone, retried, reason, body, dead, alive]
}

fn told(letter: &Letter) -> String {
    let Letter { queue, message_id, message_type, class, reason, attempt, .. } = letter;
    format!("{queue}: {message_type} {message_id}, attempt {attempt}, {class}: {reason}")
}
