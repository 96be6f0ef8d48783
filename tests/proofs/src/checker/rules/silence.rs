//! S7, P1: the queues are empty, and among the dead letters is what was poisoned and nothing else.

use std::collections::HashSet;

use super::Violation;
use crate::checker::evidence::{Evidence, Letter};

/// Nothing is under way, nothing fits no queue, nobody is under suspicion.
pub fn queues(evidence: &Evidence) -> Vec<Violation> {
    let mut left = Violation::of("S7", "a queue is not empty");
    for queue in evidence.queues.iter().filter(|queue| !queue.name.ends_with(".dead")) {
        if queue.ready + queue.unacked > 0 {
            left.seen(|| format!("{}: {} ready, {} unacknowledged", queue.name, queue.ready, queue.unacked));
        }
    }
    let mut suspects = Violation::of("S7", "messages are still under suspicion of killing their worker");
    if evidence.suspects > 0 {
        suspects.seen(|| format!("{} rows in ledger.suspects", evidence.suspects));
    }
    let poisoned: HashSet<&str> =
        evidence.past.poison.iter().map(|poison| poison.message_id.as_str()).collect();
    let mut innocent =
        Violation::of("S7", "an innocent message is a dead letter: work that was asked for is not done");
    for letter in evidence.letters.iter().filter(|letter| !poisoned.contains(letter.message_id.as_str())) {
        innocent.seen(|| told(letter));
    }
    vec![left, suspects, innocent]
}

/// All that was poisoned is given up, at once.
pub fn poison(evidence: &Evidence) -> Vec<Violation> {
    let dead: HashSet<(&str, &str)> =
        evidence.letters.iter().map(|letter| (letter.queue.as_str(), letter.message_id.as_str())).collect();
    let mut gone = Violation::of("P1", "an unreadable message has vanished: nobody can look at it any more");
    for poison in evidence.past.poison.iter().filter(|poison| poison.confirmed) {
        if !dead.contains(&(format!("{}.dead", poison.queue).as_str(), poison.message_id.as_str())) {
            gone.seen(|| format!("{} ({}) to {}", poison.message_id, poison.kind, poison.queue));
        }
    }
    let ids: HashSet<&str> = evidence.past.poison.iter().map(|poison| poison.message_id.as_str()).collect();
    let mut retried = Violation::of("P1", "an unreadable message was tried more than once");
    for letter in evidence.letters.iter().filter(|it| ids.contains(it.message_id.as_str()) && it.attempt > 1)
    {
        retried.seen(|| told(letter));
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
    vec![gone, retried, dead, alive]
}

fn told(letter: &Letter) -> String {
    let Letter { queue, message_id, message_type, class, reason, attempt } = letter;
    format!("{queue}: {message_type} {message_id}, attempt {attempt}, {class}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::evidence::Queue;
    use crate::checker::rules::given::{PLACED, assert_broken, good};

    #[test]
    fn what_is_left_in_a_queue_is_found() {
        for (ready, unacked) in [(1, 0), (0, 1)] {
            let mut evidence = good();
            evidence.queues.push(Queue { name: "unrouted".to_owned(), ready, unacked });
            assert_broken(&queues(&evidence), "not empty");
        }
        let mut evidence = good();
        evidence.suspects = 1;
        assert_broken(&queues(&evidence), "suspicion");
    }

    #[test]
    fn an_innocent_dead_letter_is_found() {
        let mut evidence = good();
        evidence.letters[0].message_id = PLACED.to_string();
        assert_broken(&queues(&evidence), "innocent");
        assert_broken(&poison(&evidence), "vanished");
    }

    #[test]
    fn poison_that_is_worked_on_is_found() {
        let mut evidence = good();
        evidence.letters[0].attempt = 2;
        assert_broken(&poison(&evidence), "more than once");
        let poisoned = evidence.past.poison[0].message_id.parse().expect("an id");
        evidence.ledger[0].message_id = poisoned;
        assert_broken(&poison(&evidence), "was done");
    }

    #[test]
    fn a_message_given_up_in_the_ledger_is_found() {
        let mut evidence = good();
        evidence.ledger[0].status = "dead";
        assert_broken(&poison(&evidence), "gave a message up");
    }
}
