//! Connections stay open and nothing arrives on them: how long it takes until each is given up.

use std::time::Duration;

use millrace_testkit::figures::Durations;
use millrace_testkit::stack::proxy::{Directions, Rule};
use tokio::time::sleep;

use crate::chaos::fault::{Kind, Target, Way};
use crate::chaos::infrastructure::{proxies, set};
use crate::chaos::shared::Shared;
use crate::history::Fault;
use crate::report::Scenario;

const HOLD: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_secs(15);
pub(super) const TAKES: Duration = Duration::from_secs((40 + 15) * 3);
/// Two heartbeats of ten seconds, and what it takes to notice that they were missed.
const BROKER_GOAL: Duration = Duration::from_secs(25);
/// A transaction's deadline, and what it takes to begin one.
const DATABASE_GOAL: Duration = Duration::from_secs(35);

pub(super) async fn perform(shared: &Shared, scenario: &mut Scenario) {
    for way in Way::ALL {
        let target = Target::Way(way);
        shared.at("drill", format!("nothing arrives on {target}"));
        for proxy in proxies(shared, way) {
            drop(proxy.take_detections());
        }
        let fault = Fault::begins(Kind::HoleBoth, &target);
        set(shared, way, Rule::BlackHole(Directions::Both));
        sleep(HOLD).await;
        let detections = proxies(shared, way).into_iter().flat_map(|proxy| proxy.take_detections());
        let after = Durations::of(
            detections.filter(|detection| detection.established).map(|detection| detection.after),
        );
        set(shared, way, Rule::Pass);
        shared.record(Kind::HoleBoth, fault);
        scenario.note(format!("{target}: open connections were given up after: {after}"));
        let goal = if way == Way::Database { DATABASE_GOAL } else { BROKER_GOAL };
        scenario.require(after.count() > 0 && after.max() <= goal, || {
            format!("{target}: a dead peer is noticed within {goal:?}")
        });
        sleep(PAUSE).await;
    }
}
