//! `Idempotency-Key`: the name that a client gives to a job, so that posting it twice makes one job
//! (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! The key itself needs no table: a job's id follows from client and key. What must be remembered is the body that the key
//! was first used with. The ledger knows it once a worker has the job; until then this door does, for its own jobs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use millrace_contracts::{Fingerprint, JobId};
use sfv::{BareItem, Item, Parser};

use crate::problem::Problem;

#[cfg(test)]
mod tests;

const HEADER: &str = "idempotency-key";
const MAX_CHARS: usize = 255;
/// How many uses a generation has; two are remembered, which takes some 10 MiB.
const GENERATION: usize = 50_000;

/// A key as a client gave it: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key in a request's header, if it has one. The header is a structured field: a string in double quotes.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut given = headers.get_all(HEADER).iter();
        let Some(only) = given.next() else { return Ok(None) };
        if given.next().is_some() {
            return Err(Problem::KeyMalformed("It was given more than once."));
        }
        let item = Parser::new(only.as_bytes()).parse::<Item>();
        let quoted = "It is a string in double quotes, such as Idempotency-Key: \"8e03978e-40d5\".";
        match item.map(|item| item.bare_item) {
            Ok(BareItem::String(text)) => Self::parse(text.as_str()).map(Some),
            Ok(_) | Err(_) => Err(Problem::KeyMalformed(quoted)),
        }
    }

    /// A key that is given as plain text, as in a line of a batch.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if (1..=MAX_CHARS).contains(&text.len()) && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Problem::KeyMalformed("It has 1 to 255 visible ASCII characters, without spaces."))
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What a key was first used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    pub command: &'static str,
    pub fingerprint: Fingerprint,
}

/// The uses of keys that this door has seen lately: at least the last 50,000.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    current: HashMap<JobId, Use>,
    before: HashMap<JobId, Use>,
}

/// What is known of a key's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nothing: it is noted now.
    First,
    /// It was used for the same.
    Again,
    /// It was used for something else.
    Other,
}

impl Uses {
    /// Notes what a key is used for, unless it is already.
    pub fn claim(&self, job: JobId, asked: &Use) -> Claim {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let Generations { current, before } = &mut *generations;
        match current.get(&job).or_else(|| before.get(&job)) {
            Some(known) if known == asked => Claim::Again,
            Some(_) => Claim::Other,
            None => {
                if current.len() >= GENERATION {
                    *before = std::mem::take(current);
                }
                current.insert(job, asked.clone());
                Claim::First
            }
        }
    }

    /// Forgets a use that came to nothing: the job was certainly not queued.
    pub fn release(&self, job: JobId) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.current.remove(&job);
        generations.before.remove(&job);
    }
}
