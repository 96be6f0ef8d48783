//! Reads API keys from the auth domain's table, over connections of its own: somebody who tries keys at random must not take
//! connections away from clients that look at their jobs.

use std::sync::Arc;
use std::time::Duration;

use millrace_contracts::{KeyHash, KeyId, Scope};
use millrace_protocol::ClientId;
use sqlx::{PgPool, query_file};
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use crate::client::Client;
use crate::database::{self, ReadError, RecentSilence, read_within};

/// How many keys are read at once.
pub(crate) const KEY_CONNECTIONS: usize = 4;

/// A key as the auth domain keeps it.
#[derive(Debug, Clone)]
pub(crate) struct KnownKey {
    pub key_id: KeyId,
    pub client: Client,
    pub expires_at: Option<OffsetDateTime>,
    pub revoked: bool,
}

impl KnownKey {
    /// Whether the key is neither revoked nor expired.
    pub fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        !self.revoked && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// The keys of the auth domain. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct KeyStore {
    pool: PgPool,
    permits: Arc<Semaphore>,
    silence: RecentSilence,
}

impl KeyStore {
    pub fn over(pool: PgPool) -> Self {
        Self { pool, permits: Arc::new(Semaphore::new(KEY_CONNECTIONS)), silence: RecentSilence::default() }
    }

    /// The key with this hash, if it can be read within this time. `None` where there is none, or one that can't be used.
    pub async fn read(&self, hash: &KeyHash, deadline: Duration) -> Result<Option<KnownKey>, ReadError> {
        self.silence.check()?;
        let permit = tokio::time::timeout(deadline, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(ReadError::Silent) };
        let (pool, hash) = (self.pool.clone(), hash.as_str().to_owned());
        let outcome = read_within(deadline, async move {
            let _permit = permit;
            let row = query_file!("src/keys/key.sql", hash).fetch_optional(&pool).await?;
            Ok(row.and_then(|row| {
                let scopes = row.scopes.into_iter().map(Scope::parse).collect::<Result<Vec<_>, _>>().ok()?;
                Some(KnownKey {
                    key_id: KeyId(row.key_id),
                    client: Client { id: ClientId::parse(row.client_id).ok()?, scopes: scopes.into() },
                    expires_at: row.expires_at,
                    revoked: row.status != "active",
                })
            }))
        })
        .await;
        self.silence.note(&outcome);
        outcome
    }

    /// Closes every connection once its read is done.
    pub async fn close(self) {
        database::close(self.pool).await;
    }
}
