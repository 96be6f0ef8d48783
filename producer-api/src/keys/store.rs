//! Reads API keys where the auth domain keeps them, over connections of their own: who tries keys at random must not take
//! the connections away from those who ask for their jobs.

use std::sync::Arc;
use std::time::Duration;

use millrace_contracts::{ClientId, KeyHash, KeyId, Scope};
use sqlx::{PgPool, query_file};
use tokio::sync::Semaphore;

use super::{Client, KnownKey};
use crate::ledger::ReadError;
use crate::reading::{self, Silence, driven_to_its_end};

/// So many keys are read at once.
pub(crate) const CONNECTIONS: usize = 4;

/// The keys of the auth domain. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct KeyStore {
    pool: PgPool,
    places: Arc<Semaphore>,
    silence: Silence,
}

impl KeyStore {
    pub fn over(pool: PgPool) -> Self {
        Self { pool, places: Arc::new(Semaphore::new(CONNECTIONS)), silence: Silence::default() }
    }

    /// The key with this hash, if it can be read within this time. `None` where there is none, be it that it never was.
    pub async fn read(&self, hash: &KeyHash, patience: Duration) -> Result<Option<KnownKey>, ReadError> {
        self.silence.is_over()?;
        let turn = tokio::time::timeout(patience, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(ReadError::Silent) };
        let (pool, hash) = (self.pool.clone(), hash.as_str().to_owned());
        let outcome = driven_to_its_end(patience, async move {
            let _turn = turn;
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

    pub async fn close(self) {
        reading::close(self.pool).await;
    }
}
