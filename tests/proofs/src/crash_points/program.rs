//! An armed program: it is started to die, or to live and be asked to stop.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use millrace_testkit::services::watchdog::Watchdog;
use millrace_testkit::stack::program::{Log, Program, log_file};
use millrace_testkit::stack::signal::Signal;

use crate::crash_points::stack::{PATIENCE, Stack, until};

const SIGKILL: i32 = 9;
/// How many workers in a row may be asked to stop just when something is delivered to them.
const STOPS_MAX: usize = 3;

/// Where the programs are, and what ends them if we don't.
#[derive(Debug, Clone)]
pub struct Programs {
    pub programs: PathBuf,
    pub logs: PathBuf,
    pub watchdog: Arc<Watchdog>,
}

pub struct Armed {
    program: Program,
    programs: Programs,
}

impl Programs {
    /// Starts a program. Its log has the case's name.
    pub fn start(
        &self,
        program: &str,
        case: &str,
        environment: &[(&str, String)],
        death: Option<&str>,
    ) -> Result<Armed, String> {
        let mut environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        // Always set, so that nothing is taken over from ours.
        environment.push(("MILLRACE_CRASH_AT".to_owned(), death.unwrap_or_default().to_owned()));
        let (path, log) = (self.programs.join(program), Log::Files(self.logs.clone()));
        let started = Program::start(&name_of(case), &path, environment, log, &self.watchdog);
        let program = started.map_err(|error| format!("{} could not be started: {error}", path.display()))?;
        Ok(Armed { program, programs: self.clone() })
    }

    /// Where the log of a case is.
    pub fn log_of(&self, case: &str) -> PathBuf {
        log_file(&self.logs, &name_of(case))
    }
}

/// A worker that nobody kills takes all that there is in the queue, and stops when it is asked to.
///
/// What is delivered to it while it stops it may give back: then another one goes on. Returns how much was given back.
pub async fn work_off(
    stack: &Stack,
    queue: &str,
    start: impl Fn() -> Result<Armed, String>,
) -> Result<usize, String> {
    let mut given_back = 0;
    for _ in 0..STOPS_MAX {
        let worker = start()?;
        until("the queue to be processed", async || {
            let (ready, subscriptions) = stack.queue(queue).await;
            ready == 0 && subscriptions > 0
        })
        .await?;
        worker.stop().await?;
        match stack.left_behind(queue).await? {
            0 => return Ok(given_back),
            left => given_back += left,
        }
    }
    Err(format!("{STOPS_MAX} workers have stopped, and each has given messages back"))
}

fn name_of(case: &str) -> String {
    case.replace('/', ".")
}

impl Armed {
    /// Waits until it has died of the point. One that does not die proves nothing.
    pub async fn death(mut self, point: &str) -> Result<(), String> {
        let ended = self.end().await;
        match ended {
            Some(status) if status.signal() == Some(SIGKILL) => Ok(()),
            Some(status) => Err(format!("was to die at {point}, but ended with {status}")),
            None => Err(format!("was to die at {point}, but never came there")),
        }
    }

    /// Whether it has died. It must not end in any other way.
    pub fn has_died(&mut self) -> Result<bool, String> {
        match self.program.ended() {
            None => Ok(false),
            Some(status) if status.signal() == Some(SIGKILL) => Ok(true),
            Some(status) => Err(format!("was to die of a message, but ended with {status}")),
        }
    }

    /// Waits until it has ended by itself, however it did.
    pub async fn ends_by_itself(mut self) -> Result<ExitStatus, String> {
        self.end().await.ok_or_else(|| format!("still ran after {} s", PATIENCE.as_secs()))
    }

    /// Asks it to stop, which it must do cleanly.
    pub async fn stop(mut self) -> Result<(), String> {
        self.program.signal(Signal::TERM).map_err(|error| format!("can't be asked to stop: {error}"))?;
        match self.end().await {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("was asked to stop and ended with {status}")),
            None => Err(format!("did not stop within {} s", PATIENCE.as_secs())),
        }
    }

    async fn end(&mut self) -> Option<ExitStatus> {
        self.program.end_within(PATIENCE).await
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        // One that has ended can't be killed, and that is all right. Its number may soon be another's.
        let _ = self.program.kill();
        let _ = self.programs.watchdog.forget(self.program.pid());
    }
}
