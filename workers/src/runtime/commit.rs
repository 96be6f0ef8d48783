//! The transaction: ledger lookup, load, decide, save, ledger. All of a batch or nothing of it.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use millrace_broker::Outgoing;
use millrace_contracts::ledger::FollowUp;
use millrace_faults::{Mutant, Point, mutated, reach, reach_within};
use sqlx::{PgConnection, raw_sql};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{Change, Domain, Facts};
use crate::runtime::database::{Database, Trouble, bounded};
use crate::runtime::gather::{Member, Work};
use crate::runtime::ledger;
use crate::runtime::pause::Pause;
use crate::runtime::settle::{Fault, Outcome, Place, Settlement, Settling, give_up_foreign};
use crate::runtime::suspects;
use crate::store::{SaveError, Store};

/// A conflict means that another worker got on with it, so the next try nearly always goes through.
const CONFLICTS_IN_A_ROW: u32 = 20;

/// Commits a batch, whatever it takes, and says what is to be done about each of its messages, in order.
///
/// An outage is waited out. A batch with a message that the database refuses is split until that message stands alone;
/// the others are committed as if it had not been there.
pub async fn commit<D: Store>(
    database: &mut Database,
    pause: &mut Pause,
    place: &Place,
    members: &mut [Member<D>],
    now: OffsetDateTime,
) -> Vec<Settlement> {
    let mut settlements = Vec::with_capacity(members.len());
    let (mut size, mut conflicts) = (members.len(), 0);
    while settlements.len() < members.len() {
        let start = settlements.len();
        let end = members.len().min(start + size);
        match transaction(database, place, &members[start..end], now).await {
            Ok(committed) => {
                pause.over();
                settlements.extend(committed);
                (size, conflicts) = (members.len(), 0);
            }
            Err(Trouble::Outage(reason)) => {
                if mutated(Mutant::OutageBurnsAttempts) {
                    members[start..end]
                        .iter_mut()
                        .for_each(|member| member.fail(Fault::Defect(reason.clone())));
                }
                pause.wait(&reason).await;
            }
            Err(Trouble::Conflict(reason)) => {
                conflicts += 1;
                metrics::counter!("millrace_conflicts_total", "handler" => place.domain.name()).increment(1);
                if conflicts > CONFLICTS_IN_A_ROW {
                    pause.wait(&reason).await;
                }
            }
            Err(Trouble::Culprit(_)) if end - start > 1 => size = (end - start).div_ceil(2),
            Err(Trouble::Culprit(reason)) => members[start].set_apart(&reason),
        }
    }
    settlements
}

impl<D: Domain> Member<D> {
    /// The message stands alone and the database still refuses it.
    fn set_apart(&mut self, reason: &str) {
        match self.work {
            Work::Decide { .. } => {
                self.fail(Fault::Defect(format!("the database refuses the row: {reason}")));
            }
            // Not even its ledger row can be written, so it goes to the dead letters without one.
            Work::Failed { .. } | Work::Foreign { .. } => {
                let reason = format!("the database refuses the message's ledger row: {reason}");
                self.work = Work::Foreign { reason };
            }
        }
    }
}

/// One try. After any trouble nothing has happened, or the ledger knows that it has.
async fn transaction<D: Store>(
    database: &mut Database,
    place: &Place,
    batch: &[Member<D>],
    now: OffsetDateTime,
) -> Result<Vec<Settlement>, Trouble> {
    let outcome = {
        let connection = database.connection().await?;
        bounded(async {
            raw_sql("BEGIN").execute(&mut *connection).await?;
            let settlements = work(connection, place, batch, now).await?;
            reach_within(Point::CommitSent, raw_sql("COMMIT").execute(connection)).await?;
            Ok(settlements)
        })
        .await
    };
    if let Err(trouble) = &outcome {
        let rolled_back = match trouble {
            Trouble::Outage(_) => false,
            Trouble::Conflict(_) | Trouble::Culprit(_) => {
                raw_sql("ROLLBACK").execute(database.connection().await?).await.is_ok()
            }
        };
        if !rolled_back {
            database.disconnect();
        }
    }
    outcome
}

/// Everything between BEGIN and COMMIT. The ledger comes last, so that nothing can fail unseen before the commit.
async fn work<D: Store>(
    connection: &mut PgConnection,
    place: &Place,
    batch: &[Member<D>],
    now: OffsetDateTime,
) -> Result<Vec<Settlement>, Trouble> {
    let handler = place.domain.name();
    let ids: Vec<Uuid> = batch.iter().filter_map(|member| Some(member.id()?.0)).collect();
    let mut seen = ledger::lookup(connection, handler, &ids).await?;
    let mut facts = D::Facts::default();
    for member in batch {
        if let Work::Decide { envelope, message, .. } = &member.work
            && !seen.contains_key(&envelope.message_id.0)
        {
            D::declare(message, &mut facts);
        }
    }
    D::load(connection, &mut facts).await?;
    reach(Point::LookedUp);
    let settlements = decide_all(place, batch, &mut seen, &mut facts, now);
    heeded(D::save(connection, &facts).await)?;
    reach(Point::Saved);
    suspects::absolve(connection, place, batch).await?;
    let entries: Vec<_> = settlements.iter().filter_map(|settlement| settlement.entry.as_ref()).collect();
    heeded(ledger::record(connection, handler, &entries).await)?;
    reach(Point::Recorded);
    Ok(settlements)
}

/// An error that is overlooked here is what some mutants are about.
fn heeded(saved: Result<(), SaveError>) -> Result<(), SaveError> {
    match saved {
        Err(SaveError::Database(_)) if mutated(Mutant::ErrorSwallowed) => Ok(()),
        Err(SaveError::Conflict { .. }) if mutated(Mutant::ConflictIgnored) => Ok(()),
        other => other,
    }
}

/// What a batch would publish, if it were committed: for the mutant that does not wait for that.
pub async fn rehearse<D: Store>(
    database: &mut Database,
    place: &Place,
    batch: &[Member<D>],
    now: OffsetDateTime,
) -> Vec<Outgoing> {
    let Ok(connection) = database.connection().await else { return Vec::new() };
    let rehearsed = bounded(async {
        raw_sql("BEGIN").execute(&mut *connection).await?;
        work(connection, place, batch, now).await
    });
    let settlements = rehearsed.await.unwrap_or_default();
    database.disconnect();
    settlements.into_iter().flat_map(|settlement| settlement.publish).collect()
}

/// Decides the messages in order, each seeing what the earlier ones changed.
fn decide_all<D: Domain>(
    place: &Place,
    batch: &[Member<D>],
    seen: &mut HashMap<Uuid, Vec<FollowUp>>,
    facts: &mut D::Facts,
    now: OffsetDateTime,
) -> Vec<Settlement> {
    let mut ids = HashSet::new();
    let mut settlements = Vec::with_capacity(batch.len());
    for Member { incoming, received_at, work } in batch {
        let (envelope, outcome) = match work {
            Work::Foreign { reason } => {
                settlements.push(give_up_foreign(place, incoming, reason, now));
                continue;
            }
            Work::Decide { envelope, .. } | Work::Failed { envelope, .. }
                if !ids.insert(envelope.message_id) =>
            {
                (envelope, Outcome::Twin)
            }
            Work::Decide { envelope, message, answer } => {
                let outcome = match seen.remove(&envelope.message_id.0) {
                    Some(emitted) => Outcome::Seen(emitted),
                    None => decide::<D>(facts, message, answer.as_ref(), now),
                };
                (envelope, outcome)
            }
            Work::Failed { envelope, fault } => match seen.remove(&envelope.message_id.0) {
                Some(emitted) => (envelope, Outcome::Seen(emitted)),
                None => (envelope, Outcome::Failed(fault.clone())),
            },
        };
        let settling = Settling { place, incoming, envelope, received_at: *received_at, now };
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
    answer: Option<&D::Answer>,
    now: OffsetDateTime,
) -> Outcome<Change<D>> {
    let decided = catch_unwind(AssertUnwindSafe(|| D::decide(facts, message, answer, now)));
    reach(Point::Decided);
    match decided {
        Ok(Ok(decision)) => Outcome::Decided(decision),
        Ok(Err(no)) => Outcome::Declined(no),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Outcome::Failed(Fault::Defect(format!("the rule panicked: {text}")))
        }
    }
}
