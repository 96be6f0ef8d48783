//! PostgreSQL is away for minutes under load: nothing is given up, and the backlog is processed afterwards.

use std::time::{Duration, Instant};

use millrace_contracts::catalog;
use millrace_testkit::services::Server;
use millrace_testkit::stack::servers::{Ending, Servers};
use sqlx::Connection;
use tokio::time::sleep;

use crate::chaos::fault::{Kind, Target};
use crate::chaos::shared::Shared;
use crate::error::Error;
use crate::history::Fault;
use crate::report::Scenario;

/// What is in the queues while nothing is wrong, at most.
const USUAL_BACKLOG: u64 = 100;
const DRAIN_DEADLINE: Duration = Duration::from_secs(600);

pub(super) async fn perform(
    away: Duration,
    shared: &Shared,
    servers: &mut Servers,
    scenario: &mut Scenario,
) -> Result<(), Error> {
    shared.at("drill", "PostgreSQL is away".to_owned());
    let mut fault = Fault::begins(Kind::DatabaseRestarted, Target::Database);
    servers.end(Server::Database, Ending::Stop).await?;
    sleep(away).await;
    let behind = backlog(servers).await?;
    fault.heals();
    servers.start_again(Server::Database).await?;
    let back = Instant::now();
    fault.is_back();
    shared.record(Kind::DatabaseRestarted, fault);
    shared.at("drill", "the backlog is being processed".to_owned());
    while backlog(servers).await? > USUAL_BACKLOG {
        if back.elapsed() > DRAIN_DEADLINE {
            let waited = DRAIN_DEADLINE.as_secs();
            scenario.require(false, || format!("the backlog was not processed within {waited} s"));
            break;
        }
        sleep(Duration::from_millis(250)).await;
    }
    let (away, drained) = (away.as_secs_f64(), back.elapsed().as_secs_f64());
    scenario.note(format!(
        "PostgreSQL was away for {away:.0} s; {behind} messages were waiting; they were processed {drained:.1} s after it \
         answered again, while more came"
    ));
    let mut session = servers.session().await?;
    // Some are published unreadable on purpose. Attempts are judged by the checker, which knows what each was used up for.
    let statement = "SELECT count(*) FILTER (WHERE status = 'dead' AND problem->>'type' NOT LIKE '%:unreadable'), \
                     count(*) FROM ledger.entries";
    let (dead, all): (i64, i64) = sqlx::query_as(statement).fetch_one(&mut session).await?;
    session.close().await?;
    scenario.note(format!("{all} messages handled, {dead} readable ones given up"));
    scenario.require(dead == 0, || format!("{dead} readable messages were given up"));
    Ok(())
}

/// Everything that waits for a worker.
async fn backlog(servers: &Servers) -> Result<u64, Error> {
    let queues = servers.queues().await?;
    let ours = queues.iter().filter(|queue| catalog().domain(&queue.name).is_some());
    Ok(ours.map(|queue| queue.messages).sum())
}
