//! The watchdog: a small shell that outlives this process, however it ends, and clears up what it started.
//!
//! It holds the reading end of a pipe of which we hold the other. The kernel closes ours when we end, be it by
//! return, panic, Ctrl-C or SIGKILL; the shell then sees the end of its input and works off its list, newest entry
//! first. Dropping the `Watchdog` is the same thing done on purpose, and waits for it.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Whatever carries this variable, with this run's value, was started here.
const MARK: &str = "MILLRACE_RUN";
const SCRIPT: &str = include_str!("watchdog.sh");

/// What must not outlive us. Dropping it clears up and waits until that is done.
#[derive(Debug)]
pub struct Watchdog {
    shell: Child,
    list: Mutex<Option<ChildStdin>>,
    run: String,
}

impl Watchdog {
    /// Starts the shell, in a process group of its own so that a terminal's Ctrl-C does not reach it.
    pub fn start() -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "millrace-watchdog"])
            .current_dir("/")
            .env_remove(MARK)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let list = Mutex::new(shell.stdin.take());
        let run = uuid::Uuid::now_v7().simple().to_string();
        let watchdog = Self { shell, list, run };
        let (name, value) = watchdog.mark();
        watchdog.note("sweep", &format!("{name}={value}"))?;
        Ok(watchdog)
    }

    /// The environment variable to give to everything that is started: whatever carries it is found and killed,
    /// daemons that left their process group included.
    pub fn mark(&self) -> (&'static str, &str) {
        (MARK, &self.run)
    }

    /// Lets the process run in its own group, marked, and puts it on the list.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let (name, value) = self.mark();
        let child = command.env(name, value).process_group(0).spawn()?;
        self.note("kill", &child.id().to_string())?;
        Ok(child)
    }

    /// To be called when a spawned process was seen to end: its number may soon be another's.
    pub fn forget(&self, pid: u32) -> io::Result<()> {
        self.note("forget", &pid.to_string())
    }

    /// Asks this process to stop, with SIGQUIT, before it is killed: PostgreSQL then frees its shared memory.
    pub fn quit_first(&self, pid: u32) -> io::Result<()> {
        self.note("quit", &pid.to_string())
    }

    /// To be removed with everything in it.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.note("remove", &path.display().to_string())
    }

    /// To be waited for, because it cannot be cut short: a package manager at work.
    pub fn wait_for(&self, pid: u32) -> io::Result<()> {
        self.note("wait", &pid.to_string())
    }

    /// The container of this name is to be removed, whether or not it has been made yet.
    pub fn remove_container(&self, name: &str) -> io::Result<()> {
        self.note("container", name)
    }

    /// The Docker network of this name is to be removed, once the containers are gone that were listed after it.
    pub fn remove_network(&self, name: &str) -> io::Result<()> {
        self.note("network", name)
    }

    fn note(&self, verb: &str, what: &str) -> io::Result<()> {
        debug_assert!(!what.contains('\n'), "the list has one entry a line");
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        match list.as_mut() {
            Some(list) => list.write_all(format!("{verb} {what}\n").as_bytes()),
            None => Ok(()),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.list.lock().unwrap_or_else(PoisonError::into_inner).take());
        // Nothing could be done about a failure here; the shell has no way to fail but to be killed.
        let _ = self.shell.wait();
    }
}
