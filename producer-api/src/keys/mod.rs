//! Authentication: checks the API key of a request, and returns the client that it belongs to.
//!
//! The auth domain keeps the keys. The API reads them and remembers those that it has read, so a known client is let in
//! while Postgres is down.

pub(crate) mod store;
pub(crate) mod usage_log;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use millrace_contracts::{ApiKey, KeyHash, Scope};
use millrace_protocol::ClientId;
use millrace_service::Secret;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use crate::client::Client;
use crate::problem::Problem;
use store::{KeyStore, KnownKey};
use usage_log::KeyUsageLog;

/// A key is read again after this time, so a revoked one is refused soon.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// A key that can't be read, because Postgres is down, is trusted for this long after it was read last.
const TRUSTED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a request waits for its key to be read. A client that is trusted anyway is not held up for long.
const READ_DEADLINE_TRUSTED: Duration = Duration::from_millis(500);
const READ_DEADLINE_UNKNOWN: Duration = Duration::from_secs(1);
/// Somebody who tries keys at random must not fill the memory: beyond this number, unknown keys are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// What was read of a key, and when.
#[derive(Debug, Clone)]
struct Remembered {
    key: Option<KnownKey>,
    read_at: Instant,
}

impl Remembered {
    fn is_trusted(&self) -> bool {
        self.key.is_some() && self.read_at.elapsed() < TRUSTED_FOR
    }
}

/// The keys that are accepted.
pub(crate) struct ApiKeys {
    development: Option<(KeyHash, Client)>,
    store: KeyStore,
    usage_log: KeyUsageLog,
    remembered: Mutex<HashMap<String, Remembered>>,
}

impl ApiKeys {
    /// Accepts the keys of the store, and the development key, if there is one, as the client `dev`.
    pub fn new(development: Option<&Secret>, store: KeyStore, usage_log: KeyUsageLog) -> Self {
        let dev = || Client {
            id: ClientId::parse("dev").expect("a valid client id"),
            scopes: [Scope::parse("jobs:*").expect("a valid scope")].into(),
        };
        let development = development.map(|key| (ApiKey::hash_of(key.expose()), dev()));
        Self { development, store, usage_log, remembered: Mutex::default() }
    }

    /// The client whose key stands in `Authorization: Bearer <key>` (RFC 6750 §2.1).
    pub async fn client(&self, headers: &HeaderMap) -> Result<Client, Problem> {
        let hash = ApiKey::hash_of(presented(headers)?);
        if let Some((known, client)) = &self.development
            && bool::from(known.as_str().as_bytes().ct_eq(hash.as_str().as_bytes()))
        {
            return Ok(client.clone());
        }
        let key = self.known(&hash).await?.ok_or(Problem::KeyUnknown)?;
        let now = OffsetDateTime::now_utc();
        if !key.is_valid_at(now) {
            return Err(Problem::KeyUnknown);
        }
        self.usage_log.note(key.key_id, now);
        Ok(key.client)
    }

    /// The key with this hash, from memory if it was read lately, else from the store. A key that is trusted is used while
    /// the store can't be read.
    async fn known(&self, hash: &KeyHash) -> Result<Option<KnownKey>, Problem> {
        let before = self.lock().get(hash.as_str()).cloned();
        if let Some(before) = &before
            && before.read_at.elapsed() < FRESH_FOR
        {
            return Ok(before.key.clone());
        }
        let trusted = before.as_ref().is_some_and(Remembered::is_trusted);
        let deadline = if trusted { READ_DEADLINE_TRUSTED } else { READ_DEADLINE_UNKNOWN };
        match self.store.read(hash, deadline).await {
            Ok(key) => {
                self.remember(hash, key.clone());
                Ok(key)
            }
            Err(error) => match before {
                Some(Remembered { key: Some(key), .. }) if trusted => Ok(Some(key)),
                _ => Err(Problem::KeysUnreadable(error)),
            },
        }
    }

    fn remember(&self, hash: &KeyHash, key: Option<KnownKey>) {
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, remembered| remembered.key.is_some());
        }
        remembered.insert(hash.as_str().to_owned(), Remembered { key, read_at: Instant::now() });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn presented(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return Err(Problem::KeyMissing) };
    let text = only.to_str().map_err(|_| Problem::KeyMissing)?;
    let (scheme, key) = text.split_once(' ').ok_or(Problem::KeyMissing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(key.trim()) } else { Err(Problem::KeyMissing) }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeys({} remembered)", self.lock().len())
    }
}
