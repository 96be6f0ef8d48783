//! When each key was last used: collected here, and told to the auth domain now and then, as the door writes nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_broker::{Outgoing, Publisher};
use millrace_contracts::auth::{KeyUse, MAX_USES, NoteKeyUse};
use millrace_contracts::{ClientId, Envelope, Fingerprint, KeyId, topology};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::job_id::JobIds;

/// In whose name the door tells of uses.
const DOOR: &str = "millrace";

/// The last use of each key that has not been told yet. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyUses {
    untold: Arc<Mutex<HashMap<KeyId, OffsetDateTime>>>,
}

impl KeyUses {
    /// The key was used now.
    pub fn note(&self, key: KeyId, now: OffsetDateTime) {
        self.lock().insert(key, now);
    }

    /// Tells of uses again and again, and a last time when `stop` is cancelled.
    pub async fn tell(
        self,
        every: Duration,
        ids: Arc<JobIds>,
        publisher: Publisher,
        stop: CancellationToken,
    ) {
        loop {
            let stopped = stop.run_until_cancelled(tokio::time::sleep(every)).await.is_none();
            self.tell_once(&ids, &publisher).await;
            if stopped {
                return;
            }
        }
    }

    async fn tell_once(&self, ids: &JobIds, publisher: &Publisher) {
        let untold = std::mem::take(&mut *self.lock());
        let uses: Vec<_> = untold.into_iter().map(|(key_id, used_at)| KeyUse { key_id, used_at }).collect();
        for uses in uses.chunks(MAX_USES) {
            let told = publisher.publish([message(ids, uses)].into()).await;
            if let Err(error) = told {
                tracing::debug!("When keys were last used could not be told and is told later: {error}");
                let mut untold = self.lock();
                for KeyUse { key_id, used_at } in uses {
                    // One that was used again meanwhile was used later.
                    untold.entry(*key_id).or_insert(*used_at);
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, OffsetDateTime>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn message(ids: &JobIds, uses: &[KeyUse]) -> Outgoing {
    let client = ClientId::parse(DOOR).expect("a valid client id");
    let body = serde_json::to_vec(&NoteKeyUse { uses: uses.to_vec() }).expect("plain data");
    let job = ids.mint(&client);
    let envelope = Envelope::first::<NoteKeyUse>(job, client, Fingerprint::of(&body));
    Outgoing::new(topology::COMMANDS, &envelope, body)
}
