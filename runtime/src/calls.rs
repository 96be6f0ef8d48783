//! Outside calls: made before the batch's transaction, concurrently, bounded in number and time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use sqlx::{PgConnection, raw_sql};

use crate::database::{DbError, bounded};
use crate::decode::{BatchItem, ItemState};
use crate::domain::{Answer, Call, Domain};
use crate::effects::{CallLimits, Effects};
use crate::ledger;
use crate::session::{Handler, Session};
use crate::settle::Fault;
use crate::store::Store;

/// Makes the calls that the batch's messages need, and keeps the answers with them.
pub async fn make<D: Store>(
    session: &mut Session,
    effects: &D::Effects,
    limits: CallLimits,
    items: &mut [BatchItem<D>],
) {
    let may_call = |item: &BatchItem<D>| matches!(&item.state, ItemState::Decide { message, .. } if D::may_call(message));
    if !items.iter().any(may_call) {
        return;
    }
    let calls = loop {
        match needed(session, items).await {
            Ok(calls) => break calls,
            Err(DbError::Unavailable(reason) | DbError::Conflict(reason)) => session.wait(&reason).await,
            // What can't be loaded here can't be loaded in the transaction either, where the message is found.
            Err(DbError::RowRejected(_)) => return,
        }
    };
    let answers = stream::iter(calls)
        .map(async |(position, call)| (position, perform::<D>(effects, &call, limits.deadline).await))
        .buffer_unordered(limits.concurrency)
        .collect::<Vec<_>>();
    // Each call has a deadline, but there may be many of them.
    let answers = session.heartbeat.while_waiting(answers).await;
    for (position, answered) in answers {
        match (answered, &mut items[position].state) {
            (Ok(given), ItemState::Decide { answer, .. }) => *answer = Some(given),
            (Err(fault), _) => items[position].fail(fault),
            (Ok(_), ItemState::Failed { .. } | ItemState::Undecodable { .. }) => {}
        }
    }
}

async fn perform<D: Domain>(
    effects: &D::Effects,
    call: &Call<D>,
    deadline: Duration,
) -> Result<Answer<D>, Fault> {
    match tokio::time::timeout(deadline, effects.perform(call)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failed)) => Err(Fault::Effect { reason: failed.reason, retry_after: failed.retry_after }),
        Err(_) => {
            let reason = format!("the outside system did not answer within {} ms", deadline.as_millis());
            Err(Fault::Effect { reason, retry_after: None })
        }
    }
}

/// The calls that are needed, by the position of their message. Messages that were handled before need none.
async fn needed<D: Store>(
    session: &mut Session,
    items: &[BatchItem<D>],
) -> Result<Vec<(usize, Call<D>)>, DbError> {
    let handler = Arc::clone(&session.handler);
    let outcome = {
        let connection = session.connection().await?;
        bounded(async {
            raw_sql("BEGIN").execute(&mut *connection).await?;
            let calls = read(connection, &handler, items).await?;
            // Loading has locked the rows. They are released: nothing is locked while an outside system works.
            raw_sql("ROLLBACK").execute(connection).await?;
            Ok(calls)
        })
        .await
    };
    if outcome.is_err() {
        session.disconnect();
    }
    outcome
}

async fn read<D: Store>(
    connection: &mut PgConnection,
    handler: &Handler,
    items: &[BatchItem<D>],
) -> Result<Vec<(usize, Call<D>)>, DbError> {
    let mut ids = HashSet::new();
    let callers: Vec<_> = items
        .iter()
        .enumerate()
        .filter_map(|(position, item)| match &item.state {
            ItemState::Decide { envelope, message, .. } if D::may_call(message) => {
                ids.insert(envelope.message_id).then_some((position, envelope.message_id.0, message))
            }
            ItemState::Decide { .. } | ItemState::Failed { .. } | ItemState::Undecodable { .. } => None,
        })
        .collect();
    let ids: Vec<_> = callers.iter().map(|(_, id, _)| *id).collect();
    let handled = ledger::lookup(connection, handler, &ids).await?;
    let mut facts = D::Facts::default();
    for (_, _, message) in &callers {
        D::declare(message, &mut facts);
    }
    D::load(connection, &mut facts).await?;
    let open = callers.into_iter().filter(|(_, id, _)| !handled.contains_key(id));
    Ok(open.filter_map(|(position, _, message)| Some((position, D::call(&facts, message)?))).collect())
}
