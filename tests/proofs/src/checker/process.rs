//! The checker as a process of its own, which nobody kills: it is started, read, told that all is healed, and waited for.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_testkit::services::watchdog::Watchdog;
use serde::Deserialize;

use crate::checker::options::{Endpoints, Workload};
use crate::error::Error;

const BEGIN_DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// What it has counted so far.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Jobs that were posted …
    pub sent: u64,
    /// … and answered with 202, …
    pub ok: u64,
    /// … refused, …
    pub failed: u64,
    /// … or answered in a way that leaves it open.
    pub unknown: u64,
    /// Jobs of which nothing is under way any more.
    pub settled: u64,
    #[serde(skip)]
    lines: u64,
}

/// The running checker.
#[derive(Debug)]
pub struct Checker {
    child: Child,
    input: ChildStdin,
    counts: Arc<Mutex<Counts>>,
}

impl Checker {
    /// Starts it, and returns once it posts. What it writes to stderr is for people, and goes there.
    pub async fn start(
        endpoints: &Endpoints,
        workload: &Workload,
        history: &Path,
        watchdog: &Watchdog,
    ) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("checker").args(endpoints.arguments()).args(workload.arguments());
        command.arg("--history").arg(history).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = watchdog.spawn(&mut command)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::new("the checker", "it has no pipes"));
        };
        let counts = Arc::<Mutex<Counts>>::default();
        let shared = Arc::clone(&counts);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let mut counts = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let lines = counts.lines + 1;
                if !line.contains("\"event\"")
                    && let Ok(said) = serde_json::from_str(&line)
                {
                    *counts = said;
                }
                counts.lines = lines;
            }
        });
        let mut checker = Self { child, input, counts };
        checker.until_begun().await?;
        Ok(checker)
    }

    /// What it has counted so far.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Tells it that nothing is broken any more, and waits for its verdict.
    pub async fn verdict(&mut self) -> Result<ExitStatus, Error> {
        self.input
            .write_all(b"healed\n")
            .and_then(|()| self.input.flush())
            .map_err(Error::doing("telling the checker"))?;
        loop {
            match self.ended() {
                Some(status) => return Ok(status),
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn until_begun(&mut self) -> Result<(), Error> {
        let until = Instant::now() + BEGIN_DEADLINE;
        while self.counts().lines == 0 {
            if let Some(status) = self.ended() {
                return Err(Error::new("the checker", format!("it ended at once ({status})")));
            }
            if Instant::now() > until {
                return Err(Error::late("a word of the checker", BEGIN_DEADLINE, "it said nothing"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}
