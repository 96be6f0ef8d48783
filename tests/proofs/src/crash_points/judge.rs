//! What is looked at once a case is over: the invariants, which hold for everybody, and what this case alone expects.

use std::collections::BTreeSet;

use lapin::message::Delivery;
use millrace_protocol::topology::dead_queue;
use millrace_protocol::{DomainName, Fingerprint};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::crash_points::load::{Load, Message};
use crate::crash_points::stack::Stack;
use crate::evidence::{self, Digest, Evidence, Letter, Queue};
use crate::history::{Answer, CRASH, History, Poison, Submit, UNREADABLE};
use crate::invariants;

/// Takes out of the queues what should be there, and reads what was written. `domain` is the only one with a worker;
/// what it sends out lies in the queue of `subscriber`.
pub async fn collect(stack: &Stack, domain: DomainName, subscriber: &str, client: &str) -> Evidence {
    let database = &stack.world.database;
    let read = evidence::read(database).await.expect("the journal is installed in the stack's own database");
    Evidence {
        client: client.to_owned(),
        domains: vec![domain],
        prepared_below: stack.prepared_below(),
        waiting: letters(subscriber, &stack.take_all(subscriber).await),
        letters: letters(&dead_queue(domain), &stack.take_all(&dead_queue(domain)).await),
        queues: queues(stack).await,
        ..read
    }
}

/// How many messages are ready in each queue.
pub async fn queues(stack: &Stack) -> Vec<Queue> {
    let mut queues = Vec::new();
    for name in &stack.world.topology.queues {
        let ready = u64::try_from(stack.queue(name).await.0).unwrap_or(u64::MAX);
        queues.push(Queue { name: name.clone(), ready, unacked: 0 });
    }
    queues
}

pub fn letters(queue: &str, deliveries: &[Delivery]) -> Vec<Letter> {
    deliveries.iter().map(|delivery| Letter::read(queue, delivery)).collect()
}

/// How many messages lie there more than once.
pub fn copies<'a>(letters: impl Iterator<Item = &'a Letter> + Clone) -> usize {
    letters.clone().count() - letters.map(|letter| &letter.message_id).collect::<BTreeSet<_>>().len()
}

/// Invariants that do not hold, as sentences.
pub fn violations(evidence: &Evidence) -> impl Iterator<Item = String> {
    invariants::check(evidence)
        .into_iter()
        .map(|it| format!("{} {}, {} times: {}", it.rule, it.meaning, it.count, it.examples.join(", ")))
}

/// A message that was published past the API, as if a client had posted it.
pub fn submit(message: &Message, answer: Answer) -> Submit {
    Submit {
        number: 0,
        command: message.message_type.to_owned(),
        body: serde_json::from_str(&message.body).unwrap_or_default(),
        fingerprint: Some(Fingerprint::of(message.body.as_bytes()).as_str().to_owned()),
        invoked_at: OffsetDateTime::now_utc(),
        answered_at: None,
        took: None,
        answer,
    }
}

impl Load {
    /// Everything that was published, and which of it must be given up: all of it where nobody can read it, otherwise
    /// these.
    pub fn history(&self, given_up: &BTreeSet<Uuid>) -> History {
        let unreadable = self.status == "dead";
        let poisoned = self.messages.iter().filter(|it| unreadable || given_up.contains(&it.id.0));
        let poison = poisoned.map(|message| Poison {
            message_id: message.id.to_string(),
            queue: self.handler.domain.to_string(),
            kind: String::new(),
            confirmed: true,
            class: if unreadable { UNREADABLE } else { CRASH }.to_owned(),
            body: Some(Digest::of(message.body.as_bytes())),
        });
        let readable = self.messages.iter().filter(|_| !unreadable);
        let published = self.openers.iter().chain(readable);
        let published = published.map(|message| submit(message, Answer::Accepted(message.id.0)));
        // A domain without a worker here subscribes to the news as well, so nobody promises that it is handled.
        let unsure =
            |message: &Message| Answer::Unknown("published as an event".to_owned(), Some(message.id.0));
        let news = self.news.iter().map(|message| submit(message, unsure(message)));
        History { submits: published.chain(news).collect(), copies: Vec::new(), poison: poison.collect() }
    }

    /// Everything that is not as it should be.
    pub fn findings(&self, given_up: &BTreeSet<Uuid>, evidence: &Evidence) -> Vec<String> {
        let mut findings: Vec<String> = violations(evidence).collect();
        for message in &self.messages {
            self.examine(message, given_up.contains(&message.id.0), evidence, &mut findings);
        }
        findings
    }

    /// Its row says how it ended, at which attempt and what followed; and the domain's row went through its versions.
    fn examine(&self, message: &Message, given_up: bool, evidence: &Evidence, findings: &mut Vec<String>) {
        let id = message.id.0;
        let (status, follow_up) = if given_up { ("dead", None) } else { (self.status, message.follow_up) };
        let expected = (status, self.attempts, follow_up.into_iter().collect::<Vec<_>>());
        let rows: Vec<_> = evidence.ledger.iter().filter(|row| row.message_id == id).collect();
        match rows[..] {
            [row] => {
                let emitted = row.emitted.iter().map(|sent| sent.message_type).collect();
                let found = (row.status, row.attempts, emitted);
                if found != expected {
                    findings.push(format!("{id} is {found:?}, expected {expected:?}"));
                }
            }
            _ => findings.push(format!("{id} has {} rows in the ledger, expected 1", rows.len())),
        }
        let attempts: Vec<_> =
            evidence.notes.iter().filter(|note| note.message_id == id).map(|note| note.attempts).collect();
        if !attempts.is_sorted() {
            findings.push(format!("{id} went back to an earlier attempt: {attempts:?}"));
        }
        let (table, key) = (self.handler.table, message.order.to_string());
        let changes = evidence.effects.iter().filter(|effect| effect.place == table && effect.key == key);
        let versions: Vec<_> = changes.filter_map(|effect| effect.new_version).collect();
        // The row of one that is given up is as it was prepared.
        let expected = if given_up { self.handler.prepared } else { self.versions };
        if versions != expected {
            findings.push(format!("{key} in {table} went through {versions:?}, expected {expected:?}"));
        }
    }

    /// First retries: each message at least once, with its own body, as its second attempt, and no other.
    pub fn examine_retries(&self, held: &[Letter]) -> Vec<String> {
        let mut findings = Vec::new();
        for message in &self.messages {
            let copies: Vec<_> = held.iter().filter(|letter| letter.id() == Some(message.id.0)).collect();
            if copies.is_empty() {
                findings.push(format!("{} does not wait for its retry", message.id));
            }
            let body = Digest::of(message.body.as_bytes());
            if copies.iter().any(|copy| (copy.body, copy.attempt) != (body, 2)) {
                findings.push(format!("{} waits for its retry as something else: {copies:?}", message.id));
            }
        }
        let known: BTreeSet<_> = self.messages.iter().map(|message| Some(message.id.0)).collect();
        let unknown = held.iter().filter(|letter| !known.contains(&letter.id()));
        findings.extend(unknown.map(|letter| format!("{letter:?} waits for a retry, and nobody sent it")));
        findings
    }
}

#[cfg(test)]
mod tests;
