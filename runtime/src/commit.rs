//! The transaction: ledger lookup, load, decide, save, ledger. All of a batch or nothing of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use millrace_faults::{Mutant, Point, mutated, reach, reach_within};
use millrace_protocol::ledger::FollowUp;
use millrace_service::panics::contain;
use sqlx::{PgConnection, raw_sql};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock::Clock;
use crate::database::{DbError, bounded};
use crate::decode::{BatchItem, ItemState};
use crate::domain::{Answer, Change, Context, Domain, Facts};
use crate::session::{Handler, Session};
use crate::settle::{Fault, Outcome, Settlement, Settling, give_up_undecodable};
use crate::store::{SaveError, Store};
use crate::{isolation, ledger};

/// A conflict means that another worker was faster, so the next try nearly always succeeds.
const CONFLICTS_IN_A_ROW: u32 = 20;

/// Commits a batch, whatever it takes, and returns what is to be done about each of its messages, in order.
///
/// While the database is away, it waits. A batch with a message whose row the database refuses is halved until that message
/// is alone; the others are committed as if it had not been there.
pub async fn commit<D: Store>(
    session: &mut Session,
    items: &mut [BatchItem<D>],
    clock: &dyn Clock,
) -> Vec<Settlement> {
    let mut settlements = Vec::with_capacity(items.len());
    let (mut size, mut conflicts) = (items.len(), 0);
    while settlements.len() < items.len() {
        let start = settlements.len();
        let end = items.len().min(start + size);
        match transaction(session, &items[start..end], clock).await {
            Ok(committed) => {
                session.available();
                settlements.extend(committed);
                (size, conflicts) = (items.len(), 0);
            }
            Err(DbError::Unavailable(reason)) => {
                if mutated(Mutant::OutageBurnsAttempts) {
                    items[start..end].iter_mut().for_each(|item| item.fail(Fault::Defect(reason.clone())));
                }
                session.wait(&reason).await;
            }
            Err(DbError::Conflict(reason)) => {
                conflicts += 1;
                metrics::counter!("millrace_conflicts_total", "handler" => session.handler.domain.as_str())
                    .increment(1);
                if conflicts > CONFLICTS_IN_A_ROW {
                    session.wait(&reason).await;
                }
            }
            Err(DbError::RowRejected(_)) if end - start > 1 => size = (end - start).div_ceil(2),
            Err(DbError::RowRejected(reason)) => items[start].reject_row(&reason),
        }
    }
    settlements
}

impl<D: Domain> BatchItem<D> {
    /// The message is alone in its batch, and the database still refuses its row.
    fn reject_row(&mut self, reason: &str) {
        match self.state {
            ItemState::Decide { .. } => {
                self.fail(Fault::Defect(format!("the database refuses the row: {reason}")));
            }
            // Not even its ledger row can be written, so it goes to the dead letters without one.
            ItemState::Failed { .. } | ItemState::Undecodable { .. } => {
                let reason = format!("the database refuses the message's ledger row: {reason}");
                self.state = ItemState::Undecodable { reason };
            }
        }
    }
}

/// One try. After an error nothing has happened, or the ledger knows that it has.
async fn transaction<D: Store>(
    session: &mut Session,
    batch: &[BatchItem<D>],
    clock: &dyn Clock,
) -> Result<Vec<Settlement>, DbError> {
    let handler = Arc::clone(&session.handler);
    let outcome = {
        let connection = session.connection().await?;
        bounded(async {
            raw_sql("BEGIN").execute(&mut *connection).await?;
            let settlements = process(connection, &handler, batch, clock).await?;
            reach_within(Point::CommitSent, raw_sql("COMMIT").execute(connection)).await?;
            Ok(settlements)
        })
        .await
    };
    match &outcome {
        Ok(_) => {}
        Err(DbError::Unavailable(_)) => session.disconnect(),
        Err(DbError::Conflict(_) | DbError::RowRejected(_)) => session.roll_back().await,
    }
    outcome
}

/// Everything between BEGIN and COMMIT. The ledger comes last, so that nothing can fail unseen before the commit.
pub async fn process<D: Store>(
    connection: &mut PgConnection,
    handler: &Handler,
    batch: &[BatchItem<D>],
    clock: &dyn Clock,
) -> Result<Vec<Settlement>, DbError> {
    let ids: Vec<Uuid> = batch.iter().filter_map(|item| Some(item.id()?.0)).collect();
    let mut handled = ledger::lookup(connection, handler, &ids).await?;
    let mut facts = D::Facts::default();
    for item in batch {
        if let ItemState::Decide { envelope, message, .. } = &item.state
            && !handled.contains_key(&envelope.message_id.0)
        {
            D::declare(message, &mut facts);
        }
    }
    D::load(connection, &mut facts).await?;
    reach(Point::LookedUp);
    // Loading may have waited for locks, and the batch for the database: it is handled now.
    let settlements = decide_all(handler, batch, &mut handled, &mut facts, clock.now());
    heeded(D::save(connection, &facts).await)?;
    reach(Point::Saved);
    let survived = batch.iter().filter(|item| !item.is_given_up()).map(|item| &item.incoming);
    isolation::clear_starts(connection, handler, survived).await?;
    let entries: Vec<_> = settlements.iter().filter_map(|settlement| settlement.entry.as_ref()).collect();
    heeded(ledger::record(connection, handler, &entries).await)?;
    reach(Point::Recorded);
    Ok(settlements)
}

/// Some mutants overlook errors here.
fn heeded(saved: Result<(), SaveError>) -> Result<(), SaveError> {
    match saved {
        Err(SaveError::Database(_)) if mutated(Mutant::ErrorSwallowed) => Ok(()),
        Err(SaveError::Conflict { .. }) if mutated(Mutant::ConflictIgnored) => Ok(()),
        other => other,
    }
}

/// Decides the messages in order, each seeing what the earlier ones changed.
fn decide_all<D: Domain>(
    handler: &Handler,
    batch: &[BatchItem<D>],
    handled: &mut HashMap<Uuid, Vec<FollowUp>>,
    facts: &mut D::Facts,
    now: OffsetDateTime,
) -> Vec<Settlement> {
    let mut ids = HashSet::new();
    let mut settlements = Vec::with_capacity(batch.len());
    for BatchItem { incoming, received_at, state } in batch {
        let (envelope, outcome) = match state {
            ItemState::Undecodable { reason } => {
                settlements.push(give_up_undecodable(handler, incoming, reason, now));
                continue;
            }
            ItemState::Decide { envelope, .. } | ItemState::Failed { envelope, .. }
                if !ids.insert(envelope.message_id) =>
            {
                (envelope, Outcome::DuplicateInBatch)
            }
            ItemState::Decide { envelope, message, answer } => {
                let outcome = match handled.remove(&envelope.message_id.0) {
                    Some(emitted) => Outcome::AlreadyHandled(emitted),
                    None => {
                        let caller = &envelope.client_id;
                        decide::<D>(facts, message, &Context { caller, now, answer: answer.as_ref() })
                    }
                };
                (envelope, outcome)
            }
            ItemState::Failed { envelope, fault } => match handled.remove(&envelope.message_id.0) {
                Some(emitted) => (envelope, Outcome::AlreadyHandled(emitted)),
                None => (envelope, Outcome::Failed(fault.clone())),
            },
        };
        let settling = Settling { handler, incoming, envelope, received_at: *received_at, now };
        let (settlement, changes) = settling.settle::<D>(outcome);
        changes.into_iter().for_each(|change| facts.apply(change));
        settlements.push(settlement);
    }
    settlements
}

/// A rule that panics fails its own message only: it was given no way to change the facts.
fn decide<D: Domain>(
    facts: &D::Facts,
    message: &D::Message,
    context: &Context<'_, Answer<D>>,
) -> Outcome<Change<D>> {
    let decided = contain(|| D::decide(facts, message, context));
    reach(Point::Decided);
    match decided {
        Ok(Ok(decision)) => Outcome::Decided(decision),
        Ok(Err(rejection)) => Outcome::Rejected(rejection),
        Err(panic) => Outcome::Failed(Fault::Defect(format!("the rule panicked: {panic}"))),
    }
}
