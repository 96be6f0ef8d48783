//! Workers are killed one after the other under load and nothing else is broken: how long until what they held is done.

use std::sync::Arc;
use std::time::Duration;

use super::Findings;
use crate::chaos::fault::{Kind, Step, Target};
use crate::chaos::options::Drill;
use crate::chaos::programs;
use crate::chaos::run::Outcome;
use crate::chaos::shared::Shared;

const KILLS: usize = 100;
/// Far enough apart that what one kill delays is not put down to another.
const APART: Duration = Duration::from_secs(5);
const AWAY: Duration = Duration::from_millis(500);
pub(super) const TAKES: Duration = Duration::from_secs(500);
const GOAL_MS: i64 = 2000;

pub(super) async fn perform(shared: &Arc<Shared>) {
    let kill = |name: &str| Step {
        after: APART,
        kind: Kind::WorkerKilled,
        target: Target::Program(name.to_owned()),
        hold: AWAY,
    };
    let names: Vec<String> = shared.workers().map(|unit| unit.name.clone()).collect();
    let steps = names.iter().cycle().take(KILLS).map(|name| kill(name)).collect();
    programs::run(Arc::clone(shared), steps).await;
}

/// What the checker found out about it.
pub(super) fn recovery(drill: Drill, outcome: &Outcome, findings: &mut Findings) {
    if drill != Drill::WorkerKill {
        return;
    }
    let spread = &outcome.verdict["recovery"]["worker_killed_alone"];
    let measured = spread["n"].as_u64().unwrap_or_default();
    let p99 = spread["p99"].as_i64().unwrap_or(i64::MAX);
    findings.note(format!(
        "{measured} of {KILLS} kills found messages pending; 99 of 100 were done {p99} ms after it"
    ));
    findings.require(measured > 0, "at least one kill found messages pending".to_owned());
    findings.require(p99 <= GOAL_MS, format!("what was pending is done {GOAL_MS} ms after a kill"));
}
