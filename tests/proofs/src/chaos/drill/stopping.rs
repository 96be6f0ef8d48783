//! All workers are asked to stop one after the other under load, as a rollout does it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_testkit::stack::proxy::Rule;
use millrace_testkit::stack::servers::{Queue, Servers};
use millrace_testkit::stack::signal::Signal;
use time::OffsetDateTime;
use tokio::time::sleep;

use super::Findings;
use crate::chaos::fault::{Kind, Target, Way};
use crate::chaos::infrastructure::{DELAY, set};
use crate::chaos::options::Drill;
use crate::chaos::programs::STOP_DEADLINE;
use crate::chaos::shared::{Shared, Times};
use crate::error::Error;

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
    findings: &mut Findings,
) -> Result<(), Error> {
    let (impatient, slow) = (drill == Drill::ImpatientStop, drill == Drill::SlowStop);
    let rounds = if slow { SLOW_ROUNDS } else { ROUNDS };
    let redelivered = |queues: &[Queue]| queues.iter().map(|queue| queue.redelivered).sum::<u64>();
    let before = redelivered(&servers.queues().await?);
    let (mut took, mut killed, mut in_flight) = (Vec::new(), 0, 0);
    for round in 1..=rounds {
        for unit in shared.workers() {
            shared.at("drill", format!("round {round}: {} is asked to stop", unit.name));
            in_flight += servers.queues().await?.iter().map(|queue| queue.unacknowledged).sum::<u64>();
            let mut program = Arc::clone(&unit.program).lock_owned().await;
            if slow {
                set(shared, Way::WorkerBroker, DELAY);
                sleep(SLOW_BEFORE).await;
            }
            let (asked, started) = (Instant::now(), OffsetDateTime::now_utc());
            program.signal(Signal::Terminate)?;
            if slow {
                sleep(SLOW_AFTER).await;
                set(shared, Way::WorkerBroker, Rule::Pass);
            }
            let patience = if impatient { IMPATIENCE } else { STOP_DEADLINE };
            match program.end_within(patience).await {
                Some(status) => {
                    took.push(asked.elapsed());
                    let what = format!("{} was asked to stop and ended with {status}", unit.name);
                    findings.require(status.success(), what);
                }
                None => {
                    killed += 1;
                    program.kill()?;
                }
            }
            program.start_again(&shared.watchdog)?;
            drop(program);
            let kind = if impatient { Kind::WorkerCutShort } else { Kind::WorkerStopped };
            let times = Times { started, healed: OffsetDateTime::now_utc(), back: None };
            shared.record(kind, &Target::Program(unit.name.clone()), times);
            unit.until_ready(READY_DEADLINE).await?;
        }
    }
    sleep(FIGURES_AGE).await;
    let again = redelivered(&servers.queues().await?).saturating_sub(before);
    took.sort();
    let seconds = |time: Option<&Duration>| time.map_or(0.0, Duration::as_secs_f64);
    findings.note(format!(
        "{} stops: median {:.2} s, longest {:.2} s, {killed} killed after {:.0} s",
        took.len() + killed,
        seconds(took.get(took.len() / 2)),
        seconds(took.last()),
        if impatient { IMPATIENCE } else { STOP_DEADLINE }.as_secs_f64()
    ));
    findings.note(format!("{again} messages were delivered again; {in_flight} were in flight at the stops"));
    if !impatient {
        findings.require(killed == 0, format!("{killed} workers did not stop by themselves"));
        let longest = took.last().copied().unwrap_or_default();
        let goal = if slow { SLOW_GOAL } else { STOP_GOAL };
        findings.require(longest <= goal, format!("a worker took {longest:?} to stop"));
    }
    Ok(())
}
