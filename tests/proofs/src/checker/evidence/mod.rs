//! All that the verdict rests on, loaded once: the history, the ledger, the journal, the tables, the queues.

mod broker;
mod database;
mod past;
mod words;

use std::collections::{HashMap, HashSet};

use millrace_contracts::{DomainName, MessageId, catalog};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

pub use broker::{Letter, Queue, dead_letters, queues};
#[cfg(test)]
pub use past::Poison;
pub use past::{Answer, Fault, Past, Submit};

use crate::checker::settings::Settings;
use crate::checker::trouble::Trouble;
use crate::checker::{history, places};

/// The evidence.
#[derive(Debug, Default)]
pub struct Evidence {
    pub past: Past,
    pub faults: Vec<Fault>,
    pub client: String,
    pub ledger: Vec<Entry>,
    pub notes: Vec<Note>,
    pub effects: Vec<Effect>,
    pub orders: Vec<Order>,
    pub payments: Vec<Payment>,
    pub queues: Vec<Queue>,
    pub letters: Vec<Letter>,
    pub sessions: Vec<Session>,
    pub sessions_max: Option<usize>,
    /// Messages that are still under suspicion.
    pub suspects: i64,
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
pub fn hearers(message_type: &str) -> impl Iterator<Item = DomainName> + use<'_> {
    catalog().find(message_type).into_iter().flat_map(|entry| entry.handlers().iter().copied())
}

impl Evidence {
    /// Loads everything.
    pub async fn load(settings: &Settings) -> Result<Self, Trouble> {
        let pool = places::database(&settings.database_url)?;
        let past = Past::of(history::read(&settings.history.join("history.jsonl"))?);
        let faults = history::read::<Value>(&settings.history.join("faults.jsonl"))?;
        let mut evidence = database::load(&pool).await.map_err(Trouble::database("reading the evidence"))?;
        evidence.past = past;
        evidence.faults = Fault::all(&faults);
        evidence.client = settings.client.clone();
        evidence.sessions_max = settings.sessions_max;
        evidence.queues = queues(settings).await?;
        evidence.letters = dead_letters(settings).await?;
        Ok(evidence)
    }

    /// Every row by handler and message.
    pub fn rows(&self) -> HashMap<(DomainName, Uuid), &Entry> {
        self.ledger.iter().map(|entry| ((entry.handler, entry.message_id), entry)).collect()
    }

    /// The messages that were published unreadable on purpose, and certainly or perhaps reached a queue.
    pub fn poisoned(&self) -> HashSet<Uuid> {
        self.past.poison.iter().filter_map(|poison| poison.message_id.parse().ok()).collect()
    }

    /// Which submit each job belongs to, as far as ids and fingerprints tell; `None` for those that nobody posted.
    pub fn origins(&self) -> HashMap<Uuid, Option<&Submit>> {
        let mut told: HashMap<Uuid, &Submit> = HashMap::new();
        let mut untold: HashMap<&str, Vec<&Submit>> = HashMap::new();
        for submit in &self.past.submits {
            match (submit.answer.job_id(), submit.fingerprint.as_deref()) {
                (Some(job), _) => drop(told.insert(job, submit)),
                // Least likely first: what was certainly not queued is taken only when nothing else is left.
                (None, Some(fingerprint)) => {
                    let candidates = untold.entry(fingerprint).or_default();
                    let at = if matches!(submit.answer, Answer::Fail(_)) { 0 } else { candidates.len() };
                    candidates.insert(at, submit);
                }
                (None, None) => {}
            }
        }
        let keys: HashMap<Uuid, &Submit> =
            self.past.submits.iter().filter_map(|submit| Some((submit.id_of("key_id")?, submit))).collect();
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
