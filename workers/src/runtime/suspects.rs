//! Suspects: messages that came back because a process died, or lost its connection, while it held them.
//!
//! Which of the messages that it held was the cause nobody knows, and nearly always none was. So what comes back for the
//! first time is worked in small company, then in smaller, and from the third time on alone. That a message's run alone
//! begins is written down before it does: one that kills the process even then is known by that, and is given up in the
//! end. What was delivered together with it is done meanwhile, long before the broker would give it up for having come
//! back so often.

use millrace_broker::Incoming;
use millrace_contracts::MessageId;
use millrace_faults::{Point, reach};
use sqlx::{PgConnection, query_file};
use uuid::Uuid;

use crate::domain::Domain;
use crate::runtime::database::{Database, Trouble, bounded};
use crate::runtime::gather::Member;
use crate::runtime::pause::Pause;
use crate::runtime::settle::Place;

/// A message during whose run alone the process has died this often is given up.
pub const CRASHES_MAX: u32 = 3;

/// How many messages that came back so often are worked together at most.
const fn company(returns: u64) -> usize {
    match returns {
        0 => usize::MAX,
        1 => 32,
        2 => 4,
        _ => 1,
    }
}

/// Whether the message has come back so often that it is worked alone.
pub fn is_alone(incoming: &Incoming) -> bool {
    company(incoming.returns) == 1
}

/// Cuts what was delivered into batches, in order: each message in no larger company than it may be in.
pub fn apart(deliveries: Vec<Incoming>) -> Vec<Vec<Incoming>> {
    let mut batches: Vec<Vec<Incoming>> = Vec::new();
    let mut most = 0;
    for incoming in deliveries {
        let allowed = company(incoming.returns);
        match batches.last_mut() {
            Some(batch) if allowed == most && batch.len() < most => batch.push(incoming),
            _ => batches.push(vec![incoming]),
        }
        most = allowed;
    }
    batches
}

/// If this batch is one message alone, writes down that its run begins, whatever it takes. Says how often the process has died
/// during such a run before.
///
/// A message without an envelope is not run by anybody and needs no mark.
pub async fn mark(database: &mut Database, pause: &mut Pause, place: &Place, batch: &[Incoming]) -> u32 {
    let [incoming] = batch else { return 0 };
    let Ok(envelope) = &incoming.envelope else { return 0 };
    if !is_alone(incoming) {
        return 0;
    }
    loop {
        match mark_once(database, place, envelope.message_id).await {
            Ok(runs) => {
                pause.over();
                reach(Point::Marked);
                return u32::try_from(runs).unwrap_or(u32::MAX).saturating_sub(1);
            }
            Err(Trouble::Outage(reason) | Trouble::Conflict(reason) | Trouble::Culprit(reason)) => {
                database.disconnect();
                pause.wait(&reason).await;
            }
        }
    }
}

async fn mark_once(database: &mut Database, place: &Place, id: MessageId) -> Result<i32, Trouble> {
    let connection = database.connection().await?;
    bounded(async {
        let mark = query_file!("src/runtime/mark.sql", place.domain.name(), id.0);
        Ok(mark.fetch_one(connection).await?.runs)
    })
    .await
}

/// In the transaction that settles them: messages that were alone and have not killed the process lose their mark.
///
/// One that is given up for its crashes keeps it, until `ops prune` forgets it: should the process die before the broker
/// has heard that it is settled, it must not be run again.
pub async fn absolve<D: Domain>(
    connection: &mut PgConnection,
    place: &Place,
    batch: &[Member<D>],
) -> Result<(), sqlx::Error> {
    let absolved = batch.iter().filter(|member| is_alone(&member.incoming) && !member.is_given_up());
    let ids: Vec<Uuid> = absolved.filter_map(|member| Some(member.id()?.0)).collect();
    if !ids.is_empty() {
        query_file!("src/runtime/clear.sql", place.domain.name(), &ids).execute(connection).await?;
    }
    Ok(())
}
