//! All that the verdict rests on, loaded once: the history, the ledger, the journal, the tables, the queues.

mod broker;
mod database;
mod words;

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use millrace_contracts::catalog;
use millrace_protocol::{DomainName, MessageId};
use time::OffsetDateTime;
use uuid::Uuid;

pub use broker::{Letter, Queue, dead_letters, queues};
pub use database::read;

use crate::history::{Answer, Fault, History, Submit};

/// The evidence.
#[derive(Debug, Default)]
pub struct Evidence {
    pub history: History,
    pub faults: Vec<Fault>,
    pub client: String,
    /// The domains whose workers took part. What is sent to others stays in their queues.
    pub domains: Vec<DomainName>,
    /// Transactions below this one prepared the tables, and belong to no message.
    pub prepared_below: i64,
    pub ledger: Vec<Entry>,
    pub notes: Vec<Note>,
    pub effects: Vec<Effect>,
    pub orders: Vec<Order>,
    pub payments: Vec<Payment>,
    pub queues: Vec<Queue>,
    /// Dead letters.
    pub letters: Vec<Letter>,
    /// What was taken out of the queues of domains that took no part.
    pub waiting: Vec<Letter>,
    pub sessions: Vec<Session>,
    pub sessions_max: Option<usize>,
    /// Messages of which it is noted that somebody started on them when they came back.
    pub started_attempts: Vec<Uuid>,
}

/// What stands for a body, where millions of them would not fit into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    pub fn of(body: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// One row of the ledger.
#[derive(Debug, Clone)]
pub struct Entry {
    pub handler: DomainName,
    pub message_id: Uuid,
    pub job_id: Uuid,
    pub causation_id: Uuid,
    pub client_id: &'static str,
    pub message_type: &'static str,
    pub status: &'static str,
    pub attempts: i32,
    pub fingerprint: String,
    /// The order, key or user that the result names.
    pub subject: Option<Uuid>,
    /// The problem's name.
    pub problem: Option<&'static str>,
    pub emitted: Vec<Sent>,
}

/// One follow-up of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub id: Uuid,
    pub message_type: &'static str,
    pub body: Digest,
}

/// One write to the ledger.
#[derive(Debug, Clone)]
pub struct Note {
    pub handler: &'static str,
    pub message_id: Uuid,
    pub message_type: &'static str,
    pub status: &'static str,
    pub attempts: i32,
    pub problem: Option<&'static str>,
    pub emitted_md5: Option<String>,
    pub txid: i64,
    pub noted_at: OffsetDateTime,
}

/// One write to a domain's table.
#[derive(Debug, Clone)]
pub struct Effect {
    pub operation: &'static str,
    pub place: &'static str,
    pub key: String,
    pub old_version: Option<i64>,
    pub new_version: Option<i64>,
    pub old_state: Option<&'static str>,
    pub new_state: Option<&'static str>,
    pub txid: i64,
    pub noted_at: OffsetDateTime,
}

/// An order as it now is.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Order {
    pub order_id: Uuid,
    pub currency: String,
    pub total_minor: i64,
    pub status: String,
    pub payment: String,
}

/// A payment as it now is.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Payment {
    pub order_id: Uuid,
    pub currency: String,
    pub amount_minor: i64,
    pub payment_method: String,
    pub status: String,
}

/// Somebody else's session in the database.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Session {
    pub application: String,
    pub state: String,
    pub idle_s: f64,
}

impl Entry {
    /// Whether this is a job's own command.
    pub fn is_root(&self) -> bool {
        self.message_id == self.job_id
    }

    pub fn is_ended(&self) -> bool {
        self.status != "retrying"
    }

    /// What each follow-up's id must be.
    pub fn derived(&self) -> impl Iterator<Item = (Uuid, &Sent)> {
        (0u32..).zip(&self.emitted).map(|(at, sent)| (MessageId(self.message_id).derive(at).0, sent))
    }

    /// For log lines: who did what.
    pub fn name(&self) -> String {
        format!("{} {} by {}", self.message_type, self.message_id, self.handler)
    }
}

/// The domains that must get this message.
pub fn subscribers(message_type: &str) -> impl Iterator<Item = DomainName> + use<'_> {
    catalog().find(message_type).into_iter().flat_map(|entry| entry.handlers().iter().copied())
}

impl Evidence {
    /// Whether a worker of this domain took part.
    pub fn has(&self, domain: DomainName) -> bool {
        self.domains.contains(&domain)
    }

    /// Every row by handler and message.
    pub fn rows(&self) -> HashMap<(DomainName, Uuid), &Entry> {
        self.ledger.iter().map(|entry| ((entry.handler, entry.message_id), entry)).collect()
    }

    /// The messages that were published unreadable on purpose, and certainly or perhaps reached a queue.
    pub fn poisoned(&self) -> HashSet<Uuid> {
        self.history.poison.iter().filter_map(|poison| poison.message_id.parse().ok()).collect()
    }

    /// Which submit each job belongs to, as far as ids and fingerprints tell; `None` for those that nobody posted.
    pub fn origins(&self) -> HashMap<Uuid, Option<&Submit>> {
        let mut told: HashMap<Uuid, &Submit> = HashMap::new();
        let mut untold: HashMap<&str, Vec<&Submit>> = HashMap::new();
        for submit in &self.history.submits {
            match (submit.answer.job_id(), submit.fingerprint.as_deref()) {
                (Some(job), _) => drop(told.insert(job, submit)),
                // Least likely first: what was certainly not queued is taken only when nothing else is left.
                (None, Some(fingerprint)) => {
                    let candidates = untold.entry(fingerprint).or_default();
                    let at = if matches!(submit.answer, Answer::Refused(_)) { 0 } else { candidates.len() };
                    candidates.insert(at, submit);
                }
                (None, None) => {}
            }
        }
        let keys: HashMap<Uuid, &Submit> = self
            .history
            .submits
            .iter()
            .filter_map(|submit| Some((submit.id_of("key_id")?, submit)))
            .collect();
        let poisoned = self.poisoned();
        let roots =
            self.ledger.iter().filter(|entry| entry.is_root() && !poisoned.contains(&entry.message_id));
        roots
            .map(|root| {
                let by_key = || root.subject.and_then(|subject| keys.get(&subject).copied());
                let by_body = || untold.get_mut(root.fingerprint.as_str()).and_then(Vec::pop);
                (root.job_id, told.get(&root.job_id).copied().or_else(by_body).or_else(by_key))
            })
            .collect()
    }
}
