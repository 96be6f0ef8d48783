//! Outside calls: made before the batch's transaction, concurrently, bounded in number and time.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use sqlx::{PgConnection, raw_sql};

use crate::domain::Domain;
use crate::effects::Effects;
use crate::runtime::database::{Database, Trouble, bounded};
use crate::runtime::gather::{Member, Work};
use crate::runtime::ledger;
use crate::runtime::pause::Pause;
use crate::runtime::settle::{Fault, Place};
use crate::store::Store;

/// How outside calls are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// How long one call may take.
    pub deadline: Duration,
    /// How many run at once in a lane.
    pub concurrency: usize,
}

impl CallLimits {
    /// For domains that call nobody.
    #[must_use]
    pub const fn none() -> Self {
        Self { deadline: Duration::ZERO, concurrency: 1 }
    }
}

/// Makes the calls that the batch's messages need, and keeps the answers with them.
pub async fn make<D: Store>(
    database: &mut Database,
    pause: &mut Pause,
    place: &Place,
    effects: &impl Effects<D>,
    limits: CallLimits,
    members: &mut [Member<D>],
) {
    let may_call =
        |member: &Member<D>| matches!(&member.work, Work::Decide { message, .. } if D::may_call(message));
    if !members.iter().any(may_call) {
        return;
    }
    let calls = loop {
        match needed(database, place, members).await {
            Ok(calls) => break calls,
            Err(Trouble::Outage(reason) | Trouble::Conflict(reason)) => pause.wait(&reason).await,
            // What can't be loaded here can't be loaded in the transaction either, where the culprit is found.
            Err(Trouble::Culprit(_)) => return,
        }
    };
    let answers: Vec<_> = stream::iter(calls)
        .map(async |(position, call)| (position, perform(effects, &call, limits.deadline).await))
        .buffer_unordered(limits.concurrency)
        .collect()
        .await;
    for (position, answered) in answers {
        match (answered, &mut members[position].work) {
            (Ok(given), Work::Decide { answer, .. }) => *answer = Some(given),
            (Err(fault), _) => members[position].fail(fault),
            (Ok(_), Work::Failed { .. } | Work::Foreign { .. }) => {}
        }
    }
}

async fn perform<D: Domain>(
    effects: &impl Effects<D>,
    call: &D::Call,
    deadline: Duration,
) -> Result<D::Answer, Fault> {
    match tokio::time::timeout(deadline, effects.perform(call)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failed)) => Err(Fault::Effect { reason: failed.reason, retry_after: failed.retry_after }),
        Err(_) => {
            let reason = format!("the outside system did not answer within {} ms", deadline.as_millis());
            Err(Fault::Effect { reason, retry_after: None })
        }
    }
}

/// Which calls are needed, by the position of their message. Messages that are done need none.
async fn needed<D: Store>(
    database: &mut Database,
    place: &Place,
    members: &[Member<D>],
) -> Result<Vec<(usize, D::Call)>, Trouble> {
    let outcome = {
        let connection = database.connection().await?;
        bounded(async {
            raw_sql("BEGIN").execute(&mut *connection).await?;
            let calls = read(connection, place, members).await?;
            // The rows were locked by loading them and are let go: nothing is locked while an outside system thinks.
            raw_sql("ROLLBACK").execute(connection).await?;
            Ok(calls)
        })
        .await
    };
    if outcome.is_err() {
        database.disconnect();
    }
    outcome
}

async fn read<D: Store>(
    connection: &mut PgConnection,
    place: &Place,
    members: &[Member<D>],
) -> Result<Vec<(usize, D::Call)>, Trouble> {
    let mut twins = HashSet::new();
    let callers: Vec<_> = members
        .iter()
        .enumerate()
        .filter_map(|(position, member)| match &member.work {
            Work::Decide { envelope, message, .. } if D::may_call(message) => {
                twins.insert(envelope.message_id).then_some((position, envelope.message_id.0, message))
            }
            Work::Decide { .. } | Work::Failed { .. } | Work::Foreign { .. } => None,
        })
        .collect();
    let ids: Vec<_> = callers.iter().map(|(_, id, _)| *id).collect();
    let seen = ledger::lookup(connection, place.domain.name(), &ids).await?;
    let mut facts = D::Facts::default();
    for (_, _, message) in &callers {
        D::declare(message, &mut facts);
    }
    D::load(connection, &mut facts).await?;
    let unseen = callers.into_iter().filter(|(_, id, _)| !seen.contains_key(id));
    Ok(unseen.filter_map(|(position, _, message)| Some((position, D::call(&facts, message)?))).collect())
}
