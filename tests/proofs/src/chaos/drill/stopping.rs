//! All workers are asked to stop one after the other under load, as a rollout does it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_testkit::figures::Durations;
use millrace_testkit::stack::proxy::Rule;
use millrace_testkit::stack::servers::{Queue, Servers};
use millrace_testkit::stack::signal::Signal;
use tokio::time::sleep;

use crate::chaos::fault::{Kind, Target, Way};
use crate::chaos::infrastructure::{DELAY, set};
use crate::chaos::options::Drill;
use crate::chaos::programs::STOP_DEADLINE;
use crate::chaos::shared::Shared;
use crate::error::Error;
use crate::history::Fault;
use crate::report::Scenario;

/// Ten rounds, roughly.
pub(super) const TAKES: Duration = Duration::from_secs(80);
const ROUNDS: u32 = 10;
const SLOW_ROUNDS: u32 = 2;
const SLOW_BEFORE: Duration = Duration::from_millis(500);
const SLOW_AFTER: Duration = Duration::from_millis(1500);
/// It must not take the whole of the time that a program allows itself.
const SLOW_GOAL: Duration = Duration::from_secs(5);
const STOP_GOAL: Duration = Duration::from_secs(10);
const IMPATIENCE: Duration = Duration::from_secs(1);
/// The broker's figures are a second old.
const FIGURES_AGE: Duration = Duration::from_millis(1500);
const READY_DEADLINE: Duration = Duration::from_secs(30);

pub(super) async fn perform(
    drill: Drill,
    shared: &Shared,
    servers: &Servers,
    scenario: &mut Scenario,
) -> Result<(), Error> {
    let (impatient, slow) = (drill == Drill::ImpatientStop, drill == Drill::SlowStop);
    let rounds = if slow { SLOW_ROUNDS } else { ROUNDS };
    let redelivered = |queues: &[Queue]| queues.iter().map(|queue| queue.redelivered).sum::<u64>();
    let before = redelivered(&servers.queues().await?);
    let kind = if impatient { Kind::WorkerCutShort } else { Kind::WorkerStopped };
    let patience = if impatient { IMPATIENCE } else { STOP_DEADLINE };
    let (mut took, mut killed, mut in_flight) = (Vec::new(), 0, 0);
    for round in 1..=rounds {
        for unit in shared.units.workers() {
            shared.at("drill", format!("round {round}: {} is asked to stop", unit.name));
            in_flight += servers.queues().await?.iter().map(|queue| queue.unacknowledged).sum::<u64>();
            let mut program = Arc::clone(&unit.program).lock_owned().await;
            if slow {
                set(shared, Way::WorkerBroker, DELAY);
                sleep(SLOW_BEFORE).await;
            }
            let (asked, fault) = (Instant::now(), Fault::begins(kind, Target::Program(unit.name.clone())));
            program.signal(Signal::TERM)?;
            if slow {
                sleep(SLOW_AFTER).await;
                set(shared, Way::WorkerBroker, Rule::Pass);
            }
            match program.end_within(patience).await {
                Some(status) => {
                    took.push(asked.elapsed());
                    scenario.require(status.success(), || {
                        format!("{} was asked to stop and ended with {status}", unit.name)
                    });
                }
                None => {
                    killed += 1;
                    program.kill()?;
                }
            }
            program.start_again(&shared.units.watchdog)?;
            drop(program);
            shared.record(kind, fault);
            unit.until_ready(READY_DEADLINE).await?;
        }
    }
    sleep(FIGURES_AGE).await;
    let again = redelivered(&servers.queues().await?).saturating_sub(before);
    let took = Durations::of(took);
    scenario.note(format!("stops that came to their end: {took}; {killed} were killed after {patience:?}"));
    scenario.note(format!("{again} messages were delivered again; {in_flight} were in flight at the stops"));
    if !impatient {
        scenario.require(killed == 0, || format!("{killed} workers did not stop by themselves"));
        let (longest, goal) = (took.max(), if slow { SLOW_GOAL } else { STOP_GOAL });
        scenario.require(longest <= goal, || format!("a worker took {longest:?} to stop"));
    }
    Ok(())
}
