//! What work costs: CPU time and memory of each program and server.

use std::fs;
use std::time::Duration;

use millrace_contracts::catalog;
use millrace_testkit::figures::mib;
use millrace_testkit::services::Server;
use millrace_testkit::stack::resources::Resources;
use millrace_testkit::stack::signal::family;
use millrace_testkit::stack::{Role, Unit};

use crate::bench::results::Results;
use crate::bench::stage::{Broken, Stage};

/// The unit in which Linux tells CPU time to programs, on every architecture that we run on (`man 5 proc`, `USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

const DOOR: &str = "producer-api";

/// What was used so far.
#[derive(Debug, Clone)]
pub struct Used {
    /// CPU time, by name.
    cpu: Vec<(String, Duration)>,
    /// Bytes that the database has written ahead.
    wal: f64,
}

impl Used {
    /// By each of these programs, and by both servers.
    pub async fn now(stage: &Stage, units: &[Unit]) -> Result<Self, Broken> {
        let mut cpus = Vec::new();
        for unit in units {
            cpus.push((name(unit).to_owned(), cpu(unit.program.lock().await.pid())));
        }
        for (name, server) in [("rabbitmq", Server::Broker), ("postgres", Server::Database)] {
            cpus.push((name.to_owned(), stage.servers.pid(server).map(cpu).unwrap_or_default()));
        }
        Ok(Self { cpu: cpus, wal: stage.wal().await? })
    }

    /// What CPU time was used since, by name.
    fn since<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = (&'a str, Duration)> {
        self.cpu
            .iter()
            .zip(&earlier.cpu)
            .map(|((name, now), (_, then))| (name.as_str(), now.saturating_sub(*then)))
    }
}

pub fn name(unit: &Unit) -> &str {
    match &unit.role {
        Role::Door => DOOR,
        Role::Worker(domain) => domain,
    }
}

/// CPU seconds for a thousand jobs, of each, and bytes of write-ahead log for one.
pub fn note(results: &mut Results, prefix: &str, before: &Used, after: &Used, jobs: f64) {
    for (name, used) in after.since(before) {
        results.note(format!("{prefix}.cpu.{name}"), used.as_secs_f64() * 1_000.0 / jobs);
    }
    results.note(format!("{prefix}.wal"), (after.wal - before.wal) / jobs);
}

/// Memory of each program, in MiB.
pub async fn note_memory(results: &mut Results, prefix: &str, units: &[Unit]) {
    for unit in units {
        let resources = unit.program.lock().await.resources();
        let rss = resources.map_or(0.0, |Resources { rss_kib, .. }| mib(rss_kib));
        results.note(format!("{prefix}.rss.{}", name(unit)), rss);
    }
}

/// Everything idle for so long: how much of a core all programs use together, in percent.
pub async fn idle(
    stage: &Stage,
    units: &[Unit],
    rest: Duration,
    results: &mut Results,
) -> Result<(), Broken> {
    let before = Used::now(stage, units).await?;
    tokio::time::sleep(rest).await;
    let after = Used::now(stage, units).await?;
    let ours = after.since(&before).take(units.len()).map(|(_, used)| used).sum::<Duration>();
    results.note("idle.cpu percent", ours.as_secs_f64() / rest.as_secs_f64() * 100.0);
    note_memory(results, "idle", units).await;
    Ok(())
}

/// How large each program is on disk, in MiB.
pub fn sizes(stage: &Stage, results: &mut Results) -> Result<(), Broken> {
    let workers = catalog().domains().iter().map(|domain| (domain.as_str(), format!("{domain}-worker")));
    for (name, file) in [(DOOR, DOOR.to_owned()), ("ops", "ops".to_owned())].into_iter().chain(workers) {
        let bytes = fs::metadata(stage.launcher.programs.join(file))?.len();
        results.note(format!("size.{name}"), mib(bytes / 1024));
    }
    Ok(())
}

/// A process with all below it, and those of them that have ended.
fn cpu(pid: u32) -> Duration {
    let ticks: u64 = family(pid).into_iter().map(ticks).sum();
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// utime, stime, cutime and cstime (`man 5 proc_pid_stat`).
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in brackets may contain anything, so fields are counted from behind the last bracket, where the third is.
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    fields.split(' ').skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum()
}
