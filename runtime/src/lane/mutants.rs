//! Two wrong orders of a batch's steps. The chaos campaign runs them to prove that its checker notices messages that are lost
//! and follow-ups of work that was never committed.

use std::sync::Arc;
use std::time::Instant;

use millrace_broker::{Consumer, Outgoing};
use millrace_faults::{Mutant, mutated};
use sqlx::raw_sql;

use super::{Abandoned, Lane, acknowledge, report};
use crate::clock::Clock;
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
        let started = Instant::now();
        if mutated(Mutant::AckBeforeCommit) {
            acknowledge(consumer, &batch.deliveries).await?;
        }
        let mut items = self.prepare(batch).await;
        if mutated(Mutant::PublishBeforeCommit) {
            let early = rehearse(&mut self.session, &items, self.context.clock.as_ref()).await;
            let published =
                emit::publish(&self.context.publisher, consumer, &self.session.heartbeat, early).await;
            published.map_err(Abandoned::NotPublished)?;
        }
        let mut settlements =
            commit::commit(&mut self.session, &mut items, self.context.clock.as_ref()).await;
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
    clock: &dyn Clock,
) -> Vec<Outgoing> {
    let handler = Arc::clone(&session.handler);
    let Ok(connection) = session.connection().await else { return Vec::new() };
    let rehearsed = bounded(async {
        raw_sql("BEGIN").execute(&mut *connection).await?;
        commit::process(connection, &handler, batch, clock).await
    });
    let settlements = rehearsed.await.unwrap_or_default();
    session.disconnect();
    settlements.into_iter().flat_map(|settlement| settlement.publish).collect()
}
