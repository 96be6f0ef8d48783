//! One program of Millrace as a child process: its log, its end, its restart.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use millrace_harness::services::watchdog::Watchdog;

use crate::trouble::Trouble;

/// Longer than the programs' own deadline for finishing what they have begun.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
const LOG_TAIL_LINES: usize = 20;

/// Where a program's output goes.
#[derive(Debug, Clone)]
pub enum Log {
    /// Into `<name>.log` in this folder.
    Files(PathBuf),
    /// To our own output, each line with the program's name before it.
    Prefixed,
}

#[derive(Debug)]
pub struct Process {
    pub name: &'static str,
    program: PathBuf,
    environment: Vec<(&'static str, String)>,
    log: Log,
    child: Child,
}

impl Process {
    pub fn start(
        name: &'static str,
        programs: &Path,
        environment: Vec<(&'static str, String)>,
        log: Log,
        watchdog: &Watchdog,
    ) -> Result<Self, Trouble> {
        let program = programs.join(name);
        let child = spawn(name, &program, &environment, &log, watchdog)
            .map_err(|source| Trouble::NotStarted { command: program.display().to_string(), source })?;
        Ok(Self { name, program, environment, log, child })
    }

    pub fn start_again(&mut self, watchdog: &Watchdog) -> Result<(), Trouble> {
        let failed = |source| Trouble::NotStarted { command: self.program.display().to_string(), source };
        watchdog.forget(self.child.id()).map_err(failed)?;
        self.child =
            spawn(self.name, &self.program, &self.environment, &self.log, watchdog).map_err(failed)?;
        Ok(())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub fn log_tail(&self) -> String {
        let Log::Files(folder) = &self.log else { return "(see above)".to_owned() };
        let text = std::fs::read(log_file(folder, self.name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

/// Asks all of them to stop and waits until they have; returns the names of those that had to be killed.
pub fn stop_all(processes: &mut [Process]) -> Vec<&'static str> {
    for process in &mut *processes {
        if process.ended().is_none() {
            terminate(process.child.id());
        }
    }
    let until = Instant::now() + STOP_DEADLINE;
    let mut killed = Vec::new();
    for process in processes {
        while process.ended().is_none() {
            if Instant::now() > until {
                killed.push(process.name);
                // It ended by itself just now, if this fails.
                let _ = process.child.kill();
                let _ = process.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    killed
}

/// The standard library can only kill; the shell has SIGTERM built in.
fn terminate(pid: u32) {
    let _ = Command::new("/bin/sh").args(["-c", &format!("kill -TERM {pid}")]).status();
}

fn spawn(
    name: &'static str,
    program: &Path,
    environment: &[(&'static str, String)],
    log: &Log,
    watchdog: &Watchdog,
) -> io::Result<Child> {
    let mut command = Command::new(program);
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

fn prefix(name: &'static str, output: Option<impl Read + Send + 'static>) {
    let Some(output) = output else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            // When nobody reads us any more, the programs must be able to go on writing.
            let _ = writeln!(io::stdout().lock(), "{name:>15} | {}", String::from_utf8_lossy(&line));
        }
    });
}

pub fn log_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}
