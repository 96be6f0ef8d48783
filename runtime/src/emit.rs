//! Follow-ups: ids for what a decision publishes, how the ledger keeps them, and publishing until the broker has them.

use std::sync::Arc;
use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;
use millrace_broker::{Consumer, Outgoing, PublishError, Publisher};
use millrace_faults::{Mutant, mutated};
use millrace_protocol::ledger::FollowUp;
use millrace_protocol::{Catalog, Envelope, MessageId};
use millrace_service::Heartbeat;
use serde_json::value::RawValue;

use crate::domain::Draft;

/// Gives each draft its id.
pub fn with_ids(handled: MessageId, drafts: Vec<Draft>) -> Vec<FollowUp> {
    let numbered = (0u32..).zip(drafts);
    numbered
        .map(|(position, draft)| FollowUp {
            id: handled.derive(position),
            message_type: draft.message_type.to_owned(),
            version: draft.version,
            body: RawValue::from_string(draft.body).expect("drafts are JSON"),
        })
        .collect()
}

/// The JSON that the ledger keeps.
pub fn to_json(emitted: &[FollowUp]) -> String {
    serde_json::to_string(emitted).expect("ids, names and JSON")
}

/// The messages, ready to be published.
pub fn follow_ups(catalog: &Catalog, handled: &Envelope, emitted: &[FollowUp]) -> Vec<Outgoing> {
    emitted
        .iter()
        .map(|message| {
            let envelope = Envelope {
                message_id: message.id,
                causation_id: handled.message_id,
                message_type: message.message_type.clone(),
                version: message.version,
                attempt: 1,
                ..handled.clone()
            };
            Outgoing::new(
                catalog.route(&message.message_type),
                &envelope,
                message.body.get().as_bytes().to_vec(),
            )
        })
        .collect()
}

/// The messages that the ledger has kept, with the ids that they had.
pub(crate) fn published_again(
    catalog: &Catalog,
    handled: &Envelope,
    mut emitted: Vec<FollowUp>,
) -> Vec<Outgoing> {
    if mutated(Mutant::NoRepublish) {
        emitted.clear();
    }
    if mutated(Mutant::NewIdsOnRepublish) {
        emitted.iter_mut().for_each(|message| message.id = MessageId(uuid::Uuid::now_v7()));
    }
    follow_ups(catalog, handled, &emitted)
}

/// Publishes until the broker has confirmed everything. Gives up only when the deliveries themselves are gone with their
/// channel: the broker then delivers them again, and the ledger knows what to publish.
pub(crate) async fn publish(
    publisher: &Publisher,
    consumer: &Consumer,
    heartbeat: &Heartbeat,
    messages: Vec<Outgoing>,
) -> Result<(), PublishError> {
    let mut waits = ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(50))
        .with_max_interval(Duration::from_secs(5))
        .with_max_elapsed_time(None)
        .build();
    let messages: Arc<[Outgoing]> = messages.into();
    loop {
        heartbeat.beat();
        let Err(error) = publisher.publish(Arc::clone(&messages)).await else { return Ok(()) };
        if mutated(Mutant::UnknownAsDone) {
            return Ok(());
        }
        if !consumer.is_connected() {
            return Err(error);
        }
        tracing::warn!(
            messages = messages.len(),
            "Follow-ups are not published yet and tried again: {error}"
        );
        tokio::time::sleep(waits.next_backoff().unwrap_or(Duration::from_secs(5))).await;
    }
}
