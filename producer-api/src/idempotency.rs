//! `Idempotency-Key`: a key that a client gives to a job, so that posting it twice makes one job
//! (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! The key itself needs no table: a job's id follows from client and key. What must be remembered is the data that the key
//! was first used with. The ledger has it once a worker has received the job; until then the cache of this process has it,
//! for the jobs that this process accepted. So another process may accept the same key with other data meanwhile: one of the
//! two is processed, and both answers name the same job.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use millrace_protocol::{Fingerprint, JobId};
use sfv::{BareItem, Item, Parser};

use crate::problem::Problem;

#[cfg(test)]
mod tests;

const HEADER: &str = "idempotency-key";
const MAX_CHARS: usize = 255;
/// How many keys a generation holds. Two generations are kept, which takes some 10 MiB.
const GENERATION: usize = 50_000;

/// A key as a client gave it: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key in a request's header, if it has one. The header is a structured field (RFC 9651): a string in double quotes.
    /// A bare one is refused, since a stricter proxy on the way would drop it.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut given = headers.get_all(HEADER).iter();
        let Some(only) = given.next() else { return Ok(None) };
        if given.next().is_some() {
            return Err(Problem::KeyMalformed("The header is there more than once."));
        }
        let item = Parser::new(only.as_bytes()).parse::<Item>();
        let quoted = "It is a string in double quotes, such as Idempotency-Key: \"8e03978e-40d5\".";
        match item.map(|item| item.bare_item) {
            Ok(BareItem::String(text)) => Self::parse(text.as_str()).map(Some),
            Ok(_) | Err(_) => Err(Problem::KeyMalformed(quoted)),
        }
    }

    /// A key that stands as plain text in a line of a batch.
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
pub(crate) struct Usage {
    pub command: &'static str,
    pub fingerprint: Fingerprint,
}

/// What the keys that this process saw last were used for: at least the last 50,000.
#[derive(Debug, Default)]
pub(crate) struct IdempotencyCache {
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    current: HashMap<JobId, Usage>,
    before: HashMap<JobId, Usage>,
}

/// What the cache knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nothing; the usage is noted now.
    First,
    /// It was used for the same command and data.
    Again,
    /// It was used for another command or other data.
    Other,
}

impl IdempotencyCache {
    /// Notes what a key is used for, unless that is known already.
    pub fn claim(&self, job: JobId, usage: &Usage) -> Claim {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let Generations { current, before } = &mut *generations;
        match current.get(&job).or_else(|| before.get(&job)) {
            Some(known) if known == usage => Claim::Again,
            Some(_) => Claim::Other,
            None => {
                if current.len() >= GENERATION {
                    *before = std::mem::take(current);
                }
                current.insert(job, usage.clone());
                Claim::First
            }
        }
    }

    /// Forgets the usage of a job that was certainly not queued.
    pub fn release(&self, job: JobId) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.current.remove(&job);
        generations.before.remove(&job);
    }
}
