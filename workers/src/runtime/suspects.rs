//! Suspects: messages that came back because a process died, or lost its connection, while it held them.
//!
//! Which of the messages that it held was the cause nobody knows, and nearly always none was; most of them were only
//! waiting in its memory. So what comes back is worked in small company, and that such a run begins is written down
//! before it does. What is named there when the process dies was really at work; it is worked in smaller company the next
//! time, and then alone. A message that kills the process even then is given up in the end. What was delivered together
//! with it is done meanwhile, long before the broker would give it up for having come back so often.

use std::collections::HashMap;

use millrace_broker::Incoming;
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

/// So many returns are more than bad luck with one process: little should be delivered along with such a message.
const WORN: u64 = 3;

/// How many runs of each message, by its id, did not end.
type Runs = HashMap<Uuid, u32>;

/// Messages that are worked together.
#[derive(Debug)]
pub struct Company {
    /// In the order of their delivery.
    pub deliveries: Vec<Incoming>,
    /// How often the process has died while it worked on the one message of this company alone.
    pub crashes: u32,
    most: usize,
}

/// How many messages may be worked together with one of which so many runs did not end.
const fn most(runs: u32) -> usize {
    match runs {
        0 => 32,
        1 => 4,
        _ => 1,
    }
}

/// How many of those runs the message was alone in.
const fn crashes(runs: u32) -> u32 {
    runs.saturating_sub(2)
}

/// Whether the message has come back so often that hardly anything should be delivered along with it.
pub fn is_worn(incoming: &Incoming) -> bool {
    incoming.delivery_count >= WORN
}

/// The id of a message that came back. One without an envelope is not run by anybody.
fn suspect(incoming: &Incoming) -> Option<Uuid> {
    let envelope = incoming.envelope.as_ref().ok()?;
    (incoming.delivery_count > 0).then_some(envelope.message_id.0)
}

fn suspects(deliveries: &[Incoming]) -> Vec<Uuid> {
    deliveries.iter().filter_map(suspect).collect()
}

/// Cuts what was delivered into companies, in order: each message in no larger one than it may be in.
pub fn apart(deliveries: Vec<Incoming>, runs: &Runs) -> Vec<Company> {
    let mut companies: Vec<Company> = Vec::new();
    for incoming in deliveries {
        let runs = suspect(&incoming).map(|id| runs.get(&id).copied().unwrap_or(0));
        let most = runs.map_or(usize::MAX, most);
        match companies.last_mut() {
            Some(company) if company.most == most && company.deliveries.len() < most => {
                company.deliveries.push(incoming);
            }
            _ => {
                companies.push(Company { deliveries: vec![incoming], crashes: runs.map_or(0, crashes), most })
            }
        }
    }
    companies
}

/// How many runs of those among these messages that came back did not end, whatever it takes to learn it.
pub async fn runs(
    database: &mut Database,
    pause: &mut Pause,
    place: &Place,
    deliveries: &[Incoming],
) -> Runs {
    let ids = suspects(deliveries);
    if ids.is_empty() {
        return Runs::new();
    }
    loop {
        match runs_once(database, place, &ids).await {
            Ok(runs) => {
                pause.over();
                return runs;
            }
            Err(trouble) => wait_out(database, pause, &trouble).await,
        }
    }
}

async fn runs_once(database: &mut Database, place: &Place, ids: &[Uuid]) -> Result<Runs, Trouble> {
    let connection = database.connection().await?;
    bounded(async {
        let rows =
            query_file!("src/runtime/runs.sql", place.domain.name(), ids).fetch_all(connection).await?;
        Ok(rows.into_iter().map(|row| (row.message_id, row.runs.unsigned_abs())).collect())
    })
    .await
}

/// Writes down that a run of those among these messages that came back begins, whatever it takes.
pub async fn mark(database: &mut Database, pause: &mut Pause, place: &Place, deliveries: &[Incoming]) {
    let ids = suspects(deliveries);
    if ids.is_empty() {
        return;
    }
    while let Err(trouble) = mark_once(database, place, &ids).await {
        wait_out(database, pause, &trouble).await;
    }
    pause.over();
    reach(Point::StartRecorded);
}

async fn mark_once(database: &mut Database, place: &Place, ids: &[Uuid]) -> Result<(), Trouble> {
    let connection = database.connection().await?;
    bounded(async {
        query_file!("src/runtime/mark.sql", place.domain.name(), ids).execute(connection).await?;
        Ok(())
    })
    .await
}

/// Neither statement depends on what a message says, so no trouble is a message's fault.
async fn wait_out(database: &mut Database, pause: &mut Pause, trouble: &Trouble) {
    database.disconnect();
    pause.wait(&trouble.to_string()).await;
}

/// In the transaction that settles them: messages that came back and have not killed the process lose their mark.
///
/// One that is given up for its crashes keeps it, until `ops prune` forgets it: should the process die before the broker
/// has heard that it is settled, it must not be run again.
pub async fn absolve<D: Domain>(
    connection: &mut PgConnection,
    place: &Place,
    batch: &[Member<D>],
) -> Result<(), sqlx::Error> {
    let absolved = batch.iter().filter(|member| !member.is_given_up());
    let ids: Vec<Uuid> = absolved.filter_map(|member| suspect(&member.incoming)).collect();
    if !ids.is_empty() {
        query_file!("src/runtime/clear.sql", place.domain.name(), &ids).execute(connection).await?;
    }
    Ok(())
}
