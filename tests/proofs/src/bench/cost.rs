//! The cost: CPU time and memory of each program and server.

use std::fs;
use std::time::Duration;

use millrace_contracts::catalog;
use millrace_testkit::figures::mib;
use millrace_testkit::services::Server;
use millrace_testkit::stack::resources::Resources;
use millrace_testkit::stack::signal::family;
use millrace_testkit::stack::{Role, Unit};

use crate::bench::results::Results;
use crate::bench::stack::Bench;
use crate::error::Error;

/// The unit of CPU times in `/proc`, on every supported architecture (`man 5 proc`, `USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

const DOOR: &str = "producer-api";

/// Resources used until now.
#[derive(Debug, Clone)]
pub struct Used {
    /// CPU time, by name.
    cpu: Vec<(String, Duration)>,
    /// Bytes of write-ahead log that the database has written.
    wal: f64,
}

impl Used {
    /// What these programs and both servers have used until now.
    pub async fn now(bench: &Bench, units: &[Unit]) -> Result<Self, Error> {
        let mut cpus = Vec::new();
        for unit in units {
            cpus.push((name(unit).to_owned(), cpu(unit.program.lock().await.pid())));
        }
        for (name, server) in [("rabbitmq", Server::Broker), ("postgres", Server::Database)] {
            cpus.push((name.to_owned(), bench.servers.pid(server).map(cpu).unwrap_or_default()));
        }
        Ok(Self { cpu: cpus, wal: bench.wal().await? })
    }

    /// CPU time used since then, by name.
    fn since<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = (&'a str, Duration)> {
        self.cpu
            .iter()
            .zip(&earlier.cpu)
            .map(|((name, now), (_, then))| (name.as_str(), now.saturating_sub(*then)))
    }
}

pub fn name(unit: &Unit) -> &str {
    match &unit.role {
        Role::Api => DOOR,
        Role::Worker(domain) => domain,
    }
}

/// Notes each program's CPU seconds per thousand jobs, and the bytes of write-ahead log per job.
pub fn note(results: &mut Results, prefix: &str, before: &Used, after: &Used, jobs: f64) {
    for (name, used) in after.since(before) {
        results.note(format!("{prefix}.cpu.{name}"), used.as_secs_f64() * 1_000.0 / jobs);
    }
    results.note(format!("{prefix}.wal"), (after.wal - before.wal) / jobs);
}

/// Notes the memory of each program, in MiB.
pub async fn note_memory(results: &mut Results, prefix: &str, units: &[Unit]) {
    for unit in units {
        let resources = unit.program.lock().await.resources();
        let rss = resources.map_or(0.0, |Resources { rss_kib, .. }| mib(rss_kib));
        results.note(format!("{prefix}.rss.{}", name(unit)), rss);
    }
}

/// Notes how much of a core all programs use together while idle, in percent.
pub async fn idle(bench: &Bench, units: &[Unit], rest: Duration, results: &mut Results) -> Result<(), Error> {
    let before = Used::now(bench, units).await?;
    tokio::time::sleep(rest).await;
    let after = Used::now(bench, units).await?;
    let ours = after.since(&before).take(units.len()).map(|(_, used)| used).sum::<Duration>();
    results.note("idle.cpu percent", ours.as_secs_f64() / rest.as_secs_f64() * 100.0);
    note_memory(results, "idle", units).await;
    Ok(())
}

/// Notes each program's size on disk, in MiB.
pub fn sizes(bench: &Bench, results: &mut Results) -> Result<(), Error> {
    let workers = catalog().domains().iter().map(|domain| (domain.as_str(), format!("{domain}-worker")));
    for (name, file) in [(DOOR, DOOR.to_owned()), ("ops", "ops".to_owned())].into_iter().chain(workers) {
        let bytes = fs::metadata(bench.launcher.programs.join(file))?.len();
        results.note(format!("size.{name}"), mib(bytes / 1024));
    }
    Ok(())
}

/// CPU time of a process and all processes below it, including those that have ended.
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
