//! Connections stay open and nothing arrives on them: how long it takes until each is given up.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::sleep;

use super::Findings;
use crate::chaos::fault::{Kind, Target, Way};
use crate::chaos::infrastructure::{proxies, set};
use crate::chaos::shared::{Shared, Times};
use millrace_testkit::stack::proxy::{Directions, Rule};

const HOLD: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_secs(15);
pub(super) const TAKES: Duration = Duration::from_secs((40 + 15) * 3);
/// Two heartbeats of ten seconds, and what it takes to notice that they were missed.
const BROKER_GOAL: Duration = Duration::from_secs(25);
/// A transaction's deadline, and what it takes to begin one.
const DATABASE_GOAL: Duration = Duration::from_secs(35);

pub(super) async fn perform(shared: &Shared, findings: &mut Findings) {
    for way in Way::ALL {
        let target = Target::Way(way);
        shared.at("drill", format!("nothing arrives on {target}"));
        for proxy in proxies(shared, way) {
            drop(proxy.take_detections());
        }
        let started = OffsetDateTime::now_utc();
        set(shared, way, Rule::BlackHole(Directions::Both));
        sleep(HOLD).await;
        let detections = proxies(shared, way).into_iter().flat_map(|proxy| proxy.take_detections());
        let mut after: Vec<Duration> =
            detections.filter(|detection| detection.established).map(|detection| detection.after).collect();
        set(shared, way, Rule::Pass);
        let times = Times { started, healed: OffsetDateTime::now_utc(), back: None };
        shared.record(Kind::HoleBoth, &target, times);
        after.sort();
        let seconds = |time: Option<&Duration>| time.map_or(0.0, Duration::as_secs_f64);
        findings.note(format!(
            "{target}: {} open connections were given up, the first after {:.1} s, the median {:.1} s, the last {:.1} s",
            after.len(),
            seconds(after.first()),
            seconds(after.get(after.len() / 2)),
            seconds(after.last())
        ));
        let goal = if way == Way::Database { DATABASE_GOAL } else { BROKER_GOAL };
        let last = after.last().copied();
        findings.require(
            last.is_some_and(|last| last <= goal),
            format!("{target}: a dead peer is noticed within {goal:?}"),
        );
        sleep(PAUSE).await;
    }
}
