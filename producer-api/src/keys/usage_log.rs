//! When each API key was last used: collected here, and sent to the auth domain now and then, since the API writes nothing to
//! Postgres.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_broker::{Outgoing, Publisher};
use millrace_contracts::KeyId;
use millrace_contracts::auth::{KeyUse, MAX_USES, NoteKeyUse};
use millrace_protocol::{ClientId, Envelope, Fingerprint, Route};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::job_id::JobIds;

/// The client in whose name the API sends its own messages.
const OWN_CLIENT: &str = "millrace";

/// The last use of each key since it was sent. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyUsageLog {
    unsent: Arc<Mutex<HashMap<KeyId, OffsetDateTime>>>,
}

impl KeyUsageLog {
    /// Notes that the key was used now.
    pub fn note(&self, key: KeyId, now: OffsetDateTime) {
        self.lock().insert(key, now);
    }

    /// Sends the uses again and again, and a last time when `stop` is cancelled.
    pub async fn run(self, every: Duration, ids: Arc<JobIds>, publisher: Publisher, stop: CancellationToken) {
        loop {
            let stopped = stop.run_until_cancelled(tokio::time::sleep(every)).await.is_none();
            self.send(&ids, &publisher).await;
            if stopped {
                return;
            }
        }
    }

    async fn send(&self, ids: &JobIds, publisher: &Publisher) {
        let unsent = std::mem::take(&mut *self.lock());
        let uses: Vec<_> = unsent.into_iter().map(|(key_id, used_at)| KeyUse { key_id, used_at }).collect();
        for uses in uses.chunks(MAX_USES) {
            let sent = publisher.publish([message(ids, uses)].into()).await;
            if let Err(error) = sent {
                tracing::debug!(
                    "When API keys were last used was not published, and is published later: {error}"
                );
                let mut unsent = self.lock();
                for KeyUse { key_id, used_at } in uses {
                    // A key that was used again meanwhile has a later use.
                    unsent.entry(*key_id).or_insert(*used_at);
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, OffsetDateTime>> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn message(ids: &JobIds, uses: &[KeyUse]) -> Outgoing {
    let client = ClientId::parse(OWN_CLIENT).expect("a valid client id");
    let body = serde_json::to_vec(&NoteKeyUse { uses: uses.to_vec() }).expect("plain data");
    let job = ids.mint(&client);
    let envelope = Envelope::first::<NoteKeyUse>(job, client, Fingerprint::of(&body));
    Outgoing::new(Route::COMMAND, &envelope, body)
}
