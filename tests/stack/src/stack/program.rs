//! One program of Millrace as a child process: its log, its signals, its end, its restart.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::resources::Resources;
use super::signal::{self, Signal};
use crate::services::last_lines;
use crate::services::watchdog::Watchdog;

const LOG_TAIL_LINES: usize = 20;
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// Where a program's output goes.
#[derive(Debug, Clone)]
pub enum Log {
    /// Into `<name>.log` in this folder.
    Files(PathBuf),
    /// To our own output, each line with the program's name before it.
    Prefixed,
}

/// A program that has been started, and may have ended.
#[derive(Debug)]
pub struct Program {
    /// What it is called here: two of the same program differ in it.
    pub name: String,
    path: PathBuf,
    environment: Vec<(String, String)>,
    log: Log,
    child: Child,
    started: Instant,
}

impl Program {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When the program is not there, or its log cannot be written.
    pub fn start(
        name: &str,
        path: &Path,
        environment: Vec<(String, String)>,
        log: Log,
        watchdog: &Watchdog,
    ) -> io::Result<Self> {
        let child = spawn(name, path, &environment, &log, watchdog)?;
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            environment,
            log,
            child,
            started: Instant::now(),
        })
    }

    /// Starts it once more, after it has ended.
    pub fn start_again(&mut self, watchdog: &Watchdog) -> io::Result<()> {
        watchdog.forget(self.child.id())?;
        self.child = spawn(&self.name, &self.path, &self.environment, &self.log, watchdog)?;
        self.started = Instant::now();
        Ok(())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How long it has been running, if it has not ended.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Sends it a signal; one that has ended is no trouble.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        signal::send(signal, &[self.child.id()])
    }

    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Waits for its end; `None` when it still runs after this time.
    pub async fn end_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() > until {
                return ended;
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    #[must_use]
    pub fn resources(&self) -> Option<Resources> {
        Resources::of(self.child.id())
    }

    /// The end of its log, where that is a file.
    #[must_use]
    pub fn log_tail(&self) -> String {
        match &self.log {
            Log::Files(folder) => log_tail(&log_file(folder, &self.name)),
            Log::Prefixed => "(see above)".to_owned(),
        }
    }
}

fn spawn(
    name: &str,
    path: &Path,
    environment: &[(String, String)],
    log: &Log,
    watchdog: &Watchdog,
) -> io::Result<Child> {
    let mut command = Command::new(path);
    command.envs(environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    match log {
        Log::Files(folder) => {
            let file = File::options().create(true).append(true).open(log_file(folder, name))?;
            command.stdout(file.try_clone()?).stderr(file);
            watchdog.spawn(&mut command)
        }
        Log::Prefixed => {
            let mut child = watchdog.spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
            prefix(name, child.stdout.take());
            prefix(name, child.stderr.take());
            Ok(child)
        }
    }
}

fn prefix(name: &str, output: Option<impl Read + Send + 'static>) {
    let Some(output) = output else { return };
    let name = name.to_owned();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            // The programs must be able to go on writing when nobody reads this process's output any more.
            let _ = writeln!(io::stdout().lock(), "{name:>15} | {}", String::from_utf8_lossy(&line));
        }
    });
}

/// The last lines of a log.
#[must_use]
pub fn log_tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&text), LOG_TAIL_LINES)
}

/// Where a program of this name writes its log.
#[must_use]
pub fn log_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}
