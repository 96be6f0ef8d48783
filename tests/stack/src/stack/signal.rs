//! Sending signals to processes, and finding those that belong together.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

/// Sends it to all of them. Those that have ended already are no trouble.
pub fn send(signal: Signal, pids: &[u32]) -> io::Result<()> {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)) {
        match kill_process(pid, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A process and all of its descendants, parents first.
pub fn family(pid: u32) -> Vec<u32> {
    let mut members = vec![pid];
    let mut next = 0;
    while let Some(member) = members.get(next).copied() {
        next += 1;
        let tasks = std::fs::read_dir(format!("/proc/{member}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            members.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    members
}

/// Whether it still runs; one that has ended and was not asked for its exit code yet does not.
pub fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in brackets may contain anything, so the state is looked for behind the last bracket.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
