//! Workers are killed one after the other under load and nothing else is broken: how long until what they held is done.

use std::sync::Arc;
use std::time::Duration;

use crate::chaos::fault::{Kind, Step, Target};
use crate::chaos::programs;
use crate::chaos::run::Outcome;
use crate::chaos::shared::Shared;
use crate::report::Scenario;

const KILLS: usize = 100;
/// Far enough apart that what one kill delays is not put down to another.
const APART: Duration = Duration::from_secs(5);
const AWAY: Duration = Duration::from_millis(500);
pub(super) const TAKES: Duration = Duration::from_secs(500);
const GOAL: Duration = Duration::from_secs(2);

pub(super) async fn perform(shared: &Arc<Shared>) {
    let kill = |name: &str| Step {
        after: APART,
        kind: Kind::WorkerKilled,
        target: Target::Program(name.to_owned()),
        hold: AWAY,
    };
    let names: Vec<String> = shared.units.workers().map(|unit| unit.name.clone()).collect();
    let steps = names.iter().cycle().take(KILLS).map(|name| kill(name)).collect();
    programs::run(Arc::clone(shared), steps).await;
}

/// What the checker found out about it.
pub(super) fn recovery(outcome: &Outcome, scenario: &mut Scenario) {
    // Without a verdict the drill fails anyway.
    let Ok(verdict) = &outcome.verdict else { return };
    let took = &verdict.recovery["worker_killed_alone"];
    scenario.note(format!(
        "{} of {KILLS} kills found messages pending, which were done after: {took}",
        took.count()
    ));
    scenario.require(took.count() > 0, || "no kill found messages pending".to_owned());
    scenario.require(took.p99() <= GOAL, || format!("what was pending is done {GOAL:?} after a kill"));
}
