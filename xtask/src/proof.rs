//! The programs of the harness that prove something: built, and run to their end beside the programs that they look at.

use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use millrace_harness::services::watchdog::Watchdog;

use crate::cargo::{self, cargo, root};
use crate::signals::asked_to_stop;
use crate::trouble::Trouble;

const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Builds a program of the harness, with what it needs beside it, and says how it is called, with this verb, for these
/// programs of Millrace. Armed ones are kept beside the folder that cargo builds into.
pub fn command(name: &str, beside: &[&str], verb: &[&str], programs: &Path) -> Result<Command, Trouble> {
    build(name, beside)?;
    let mut command = Command::new(programs.with_file_name("debug").join(name));
    command.current_dir(root()).args(verb).arg("--programs").arg(programs);
    Ok(command)
}

/// Builds a program of the harness that has all of Millrace in it, and says how it is called.
pub fn whole(name: &str) -> Result<Command, Trouble> {
    build(name, &[])?;
    let mut command = Command::new(cargo::target().join("debug").join(name));
    command.current_dir(root());
    Ok(command)
}

/// The same, optimized: what measures others must not be the slower one.
pub fn optimized(name: &str) -> Result<Command, Trouble> {
    let mut build = building(name);
    build.arg("--release");
    cargo::run(build)?;
    let mut command = Command::new(cargo::target().join("release").join(name));
    command.current_dir(root());
    Ok(command)
}

fn build(name: &str, beside: &[&str]) -> Result<(), Trouble> {
    let mut build = building(name);
    for other in beside {
        build.args(["--bin", other]);
    }
    cargo::run(build)
}

fn building(name: &str) -> Command {
    cargo(&["build", "--quiet", "--locked", "--package", "millrace-harness", "--bin", name])
}

/// Runs it, and ends as it does.
pub async fn outcome(command: Command) -> Result<ExitCode, Trouble> {
    let status = to_its_end(command).await?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Started by the watchdog, the program ends with us, whatever ends us.
pub async fn to_its_end(mut command: Command) -> Result<ExitStatus, Trouble> {
    let line = command.get_program().to_string_lossy().into_owned();
    let failed = |source| Trouble::NotStarted { command: line.clone(), source };
    let watchdog = Watchdog::start().map_err(failed)?;
    let mut program = watchdog.spawn(&mut command).map_err(failed)?;
    let ended = async {
        loop {
            if let Some(status) = program.try_wait().map_err(failed)? {
                watchdog.forget(program.id()).map_err(failed)?;
                return Ok(status);
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    };
    tokio::select! {
        status = ended => status,
        () = asked_to_stop() => Err(Trouble::Interrupted),
    }
}
