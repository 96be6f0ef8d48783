//! The broker is short of memory for a minute: the API says so, and piles nothing up.

use std::time::Duration;

use millrace_testkit::stack::servers::{Alarm, Servers};
use tokio::time::sleep;

use crate::chaos::fault::{Kind, Target};
use crate::chaos::shared::Shared;
use crate::error::Error;
use crate::history::Fault;
use crate::report::Scenario;

pub(super) const HOLD: Duration = Duration::from_secs(60);
const GROWTH_MAX_KIB: u64 = 16 * 1024;

pub(super) async fn perform(
    shared: &Shared,
    servers: &mut Servers,
    scenario: &mut Scenario,
) -> Result<(), Error> {
    let before = apis(shared).await;
    let fault = Fault::begins(Kind::MemoryAlarm, Target::Broker);
    servers.raise(Alarm::Memory).await?;
    shared.at("drill", "the broker is blocked".to_owned());
    sleep(HOLD).await;
    let during = apis(shared).await;
    servers.lift(Alarm::Memory).await?;
    shared.record(Kind::MemoryAlarm, fault);
    for ((name, before), (_, during)) in before.into_iter().zip(during) {
        scenario
            .note(format!("{name} held {before} KiB before the alarm and {during} KiB after a minute of it"));
        let grown = during.saturating_sub(before);
        scenario.require(grown <= GROWTH_MAX_KIB, || format!("{name} grew by {grown} KiB"));
    }
    Ok(())
}

async fn apis(shared: &Shared) -> Vec<(String, u64)> {
    let mut held = Vec::new();
    for unit in shared.units.apis() {
        let resources = unit.program.lock().await.resources();
        held.push((unit.name.clone(), resources.map_or(0, |resources| resources.rss_kib)));
    }
    held
}
