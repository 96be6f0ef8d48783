//! Who may come in: checks the API key of a request, and says which client it belongs to and what that client may do.
//!
//! Keys are kept by the auth domain; the door reads them, and remembers those that it has read: a client that is known
//! comes in while Postgres is down.

mod store;
mod uses;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use millrace_contracts::{ApiKey, ClientId, KeyHash, KeyId, Scope};
use millrace_service::Secret;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use crate::problem::Problem;

pub(crate) use store::{CONNECTIONS as KEY_CONNECTIONS, KeyStore};
pub(crate) use uses::KeyUses;

/// A key is looked up again after this time, so that one that was revoked soon opens nothing.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// A key that can't be looked up, because Postgres is down, is trusted for so long after it last was.
const TRUSTED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// For so long a request waits for its key to be read: a client that is trusted anyway is not held up for long.
const PATIENCE_FOR_TRUSTED: Duration = Duration::from_millis(500);
const PATIENCE_FOR_UNKNOWN: Duration = Duration::from_secs(1);
/// Whoever tries keys at random must not fill the memory: beyond this, what was found unknown is forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// The upstream system that sent a request, proven by its key.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub id: ClientId,
    scopes: Arc<[Scope]>,
}

impl Client {
    #[cfg(test)]
    pub fn with_scopes(name: &str, scopes: &[&str]) -> Self {
        let scopes = scopes.iter().map(|scope| Scope::parse(*scope).expect("a valid scope"));
        Self { id: ClientId::parse(name).expect("a valid client"), scopes: scopes.collect() }
    }

    /// Whether it may post this command.
    pub fn may(&self, command: &str) -> bool {
        self.scopes.iter().any(|scope| scope.allows(command))
    }

    /// Whether it may do all that a key with this scope may.
    pub fn may_grant(&self, scope: &Scope) -> bool {
        self.may(scope.pattern())
    }
}

/// A key as the auth domain keeps it.
#[derive(Debug, Clone)]
pub(crate) struct KnownKey {
    pub key_id: KeyId,
    pub client: Client,
    pub expires_at: Option<OffsetDateTime>,
    pub revoked: bool,
}

impl KnownKey {
    fn opens(&self, now: OffsetDateTime) -> bool {
        !self.revoked && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

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

/// The keys that are let in.
pub(crate) struct ApiKeys {
    development: Option<(KeyHash, Client)>,
    store: KeyStore,
    uses: KeyUses,
    remembered: Mutex<HashMap<String, Remembered>>,
}

impl ApiKeys {
    /// Lets in whoever has a key of the store, or the development key, if there is one, as the client `dev`.
    pub fn new(development: Option<&Secret>, store: KeyStore, uses: KeyUses) -> Self {
        let dev = || Client {
            id: ClientId::parse("dev").expect("a valid client id"),
            scopes: [Scope::parse("jobs:*").expect("a valid scope")].into(),
        };
        let development = development.map(|key| (ApiKey::hash_of(key.expose()), dev()));
        Self { development, store, uses, remembered: Mutex::default() }
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
        if !key.opens(now) {
            return Err(Problem::KeyUnknown);
        }
        self.uses.note(key.key_id, now);
        Ok(key.client)
    }

    /// What is known of a key: read lately, or read now, or at least trusted while it can't be read.
    async fn known(&self, hash: &KeyHash) -> Result<Option<KnownKey>, Problem> {
        let before = self.lock().get(hash.as_str()).cloned();
        if let Some(before) = &before
            && before.read_at.elapsed() < FRESH_FOR
        {
            return Ok(before.key.clone());
        }
        let trusted = before.as_ref().is_some_and(Remembered::is_trusted);
        let patience = if trusted { PATIENCE_FOR_TRUSTED } else { PATIENCE_FOR_UNKNOWN };
        match self.store.read(hash, patience).await {
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
