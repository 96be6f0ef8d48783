//! The checker, as a process of its own: it is started, read, told that all is healed, and waited for.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_testkit::services::watchdog::Watchdog;
use millrace_testkit::stack::StackError;
use serde::Deserialize;

const PAUSE: Duration = Duration::from_millis(50);

/// What it has said last.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Counts {
    /// Jobs that were posted …
    #[serde(default)]
    pub sent: u64,
    /// … and answered with 202, …
    #[serde(default)]
    pub ok: u64,
    /// … refused, …
    #[serde(default)]
    pub failed: u64,
    /// … or answered in a way that leaves it open.
    #[serde(default)]
    pub unknown: u64,
    /// Messages that the ledger has brought to an end.
    #[serde(default)]
    pub settled: u64,
    #[serde(skip)]
    lines: u64,
}

/// The running checker.
#[derive(Debug)]
pub struct Judge {
    child: Child,
    input: Option<ChildStdin>,
    counts: Arc<Mutex<Counts>>,
}

impl Judge {
    /// Starts it; what it writes to stderr is for people, and goes there.
    pub fn start(arguments: &[String], watchdog: &Watchdog) -> Result<Self, StackError> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("checker").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = watchdog.spawn(&mut command)?;
        let counts = Arc::<Mutex<Counts>>::default();
        if let Some(output) = child.stdout.take() {
            let counts = Arc::clone(&counts);
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                    let lines = counts.lines + 1;
                    if !line.contains("\"event\"")
                        && let Ok(said) = serde_json::from_str(&line)
                    {
                        *counts = said;
                    }
                    counts.lines = lines;
                }
            });
        }
        Ok(Self { input: child.stdin.take(), child, counts })
    }

    /// What it has said last.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has begun to post.
    pub async fn until_begun(&mut self, patience: Duration) -> Result<(), StackError> {
        let until = Instant::now() + patience;
        while self.counts().lines == 0 {
            if let Some(status) = self.ended() {
                return Err(StackError::new("the checker", format!("it ended at once ({status})")));
            }
            if Instant::now() > until {
                return Err(StackError::new("the checker", format!("it said nothing for {patience:?}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Nothing is broken any more.
    pub fn tell_healed(&mut self) -> std::io::Result<()> {
        match self.input.as_mut() {
            Some(input) => {
                input.write_all(b"healed\n")?;
                input.flush()
            }
            None => Ok(()),
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its verdict.
    pub async fn until_ended(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
