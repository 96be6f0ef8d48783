//! Sending signals: the standard library can only kill, so the shell does it, which has `kill` built in.

use std::io;
use std::process::{Command, Stdio};

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ends it at once; it cannot catch this.
    Kill,
    /// Asks it to stop.
    Terminate,
    /// To PostgreSQL: end at once, without waiting for sessions and without a checkpoint.
    Quit,
    /// Freezes it.
    Stop,
    /// Lets it go on.
    Continue,
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Terminate => "TERM",
            Self::Quit => "QUIT",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }
}

/// Sends it to all of them in one go. Those that have ended already are no trouble.
pub fn send(signal: Signal, pids: &[u32]) -> io::Result<()> {
    if pids.is_empty() {
        return Ok(());
    }
    let numbers = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let script = format!("for pid in {numbers}; do kill -{} $pid; done", signal.name());
    Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::null()).stderr(Stdio::null()).status()?;
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
