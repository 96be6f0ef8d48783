//! Two wrong orders of a batch's steps. The chaos campaign runs them to prove that its checker notices messages that are lost
//! and follow-ups of work that was never committed.

use std::sync::Arc;
use std::time::Instant;

use millrace_broker::{Consumer, Outgoing};
use millrace_faults::{Mutant, mutated};
use sqlx::raw_sql;
use time::OffsetDateTime;

use super::{Abandoned, Lane, acknowledge, report};
use crate::database::bounded;
use crate::decode::BatchItem;
use crate::isolation::IsolationBatch;
use crate::session::Session;
use crate::store::Store;
use crate::{commit, emit, reply};

/// Whether `MILLRACE_MUTANT` names one of the two.
pub fn reorder_steps() -> bool {
    mutated(Mutant::AckBeforeCommit) || mutated(Mutant::PublishBeforeCommit)
}

impl<D: Store> Lane<D> {
    pub(super) async fn process_reordered(
        &mut self,
        consumer: &Consumer,
        batch: IsolationBatch,
    ) -> Result<(), Abandoned> {
        let (started, now) = (Instant::now(), self.context.clock.now());
        if mutated(Mutant::AckBeforeCommit) {
            acknowledge(consumer, &batch.deliveries).await?;
        }
        let mut items = self.prepare(batch, now).await;
        if mutated(Mutant::PublishBeforeCommit) {
            let early = rehearse(&mut self.session, &items, now).await;
            let published = emit::publish(&self.context.publisher, consumer, early).await;
            published.map_err(Abandoned::NotPublished)?;
        }
        let mut settlements = commit::commit(&mut self.session, &mut items, now).await;
        reply::send(&self.context.replier, &items, &settlements);
        self.publish(consumer, &mut settlements).await?;
        if !mutated(Mutant::AckBeforeCommit) {
            acknowledge(consumer, items.iter().map(|item| &item.incoming)).await?;
        }
        report(&self.context, settlements, started);
        Ok(())
    }
}

/// What the batch would publish if it were committed. Nothing is committed.
async fn rehearse<D: Store>(
    session: &mut Session,
    batch: &[BatchItem<D>],
    now: OffsetDateTime,
) -> Vec<Outgoing> {
    let handler = Arc::clone(&session.handler);
    let Ok(connection) = session.connection().await else { return Vec::new() };
    let rehearsed = bounded(async {
        raw_sql("BEGIN").execute(&mut *connection).await?;
        commit::process(connection, &handler, batch, now).await
    });
    let settlements = rehearsed.await.unwrap_or_default();
    session.disconnect();
    settlements.into_iter().flat_map(|settlement| settlement.publish).collect()
}
