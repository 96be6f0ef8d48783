//! The proofs: builds what each needs, and runs `proof` with the arguments that were given.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use clap::Args;
use millrace_stack::services::watchdog::Watchdog;

use crate::cargo::{self, root};
use crate::error::Error;
use crate::signals::asked_to_stop;
use crate::tool;

const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// What posts the bench's load.
const LOAD_TOOL: &str = "wrk";

/// One verb of `proof`.
pub struct Proof {
    pub verb: &'static str,
    pub programs: Programs,
}

/// Which programs of Millrace a proof starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Programs {
    /// None: it has what it needs in itself.
    Own,
    /// As they are, optimized with `--release`.
    Plain,
    /// Those that can die at a given point and break a given guarantee.
    Armed,
    /// Optimized ones, if `--debug` does not say otherwise. `proof` is built the same way: what measures others must
    /// not be slower than they are.
    Measured,
}

/// What is passed on.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Passed {
    /// Arguments for the proof; `--help` prints them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

impl Passed {
    fn has(&self, name: &str) -> bool {
        self.arguments.iter().any(|argument| argument == OsStr::new(name))
    }

    /// Whether the proof only prints something.
    fn only_prints(&self) -> bool {
        ["--help", "-h", "--list", "--plan"].into_iter().any(|name| self.has(name))
    }
}

/// Builds what the proof needs, runs it, and ends as it does.
pub async fn run(proof: Proof, passed: Passed) -> Result<ExitCode, Error> {
    let measures = proof.programs == Programs::Measured;
    let release = if measures { !passed.has("--debug") } else { passed.has("--release") };
    if !passed.only_prints() {
        match proof.programs {
            Programs::Own => {}
            Programs::Plain => drop(cargo::build_programs(release)?),
            Programs::Armed => cargo::build_armed_programs()?,
            Programs::Measured => {
                tool::need(LOAD_TOOL)?;
                cargo::build_programs(release)?;
            }
        }
    }
    let mut command = Command::new(build(measures && release && !passed.only_prints())?);
    command.current_dir(root()).arg(proof.verb).args(passed.arguments);
    ends_as(command).await
}

/// Runs a program to its end, and ends as it does.
pub async fn ends_as(command: Command) -> Result<ExitCode, Error> {
    let status = to_its_end(command).await?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Builds `proof` and returns its path. It looks for the programs of Millrace beside its own folder.
fn build(release: bool) -> Result<PathBuf, Error> {
    let mut build = cargo::build(&["proof"]);
    if release {
        build.arg("--release");
    }
    cargo::run(build)?;
    Ok(cargo::target().join(if release { "release" } else { "debug" }).join("proof"))
}

/// Started by the watchdog, the program ends with us, whatever ends us.
pub async fn to_its_end(mut command: Command) -> Result<ExitStatus, Error> {
    let line = command.get_program().to_string_lossy().into_owned();
    let failed = |source| Error::NotStarted { command: line.clone(), source };
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
        () = asked_to_stop() => Err(Error::Interrupted),
    }
}
