//! Calling cargo, and finding what it built.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;

/// Where the repository begins: the folder above this crate.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// `cargo`, the same that runs us, at the repository's root.
pub fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    // Queries are checked against the committed description; a DATABASE_URL meant for running must not change that.
    command.args(arguments).current_dir(root()).env("SQLX_OFFLINE", "true");
    // These were set for building xtask, and would make cargo build everything else again.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") {
            command.env_remove(name);
        }
    }
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
    command
}

/// `target/` of the repository, even where cargo builds elsewhere: logs and addresses are looked for here.
pub fn folder_of_runs() -> Result<PathBuf, Error> {
    let folder = root().join("target");
    std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    Ok(folder)
}

/// Where cargo builds, which may have been moved: we were built into it too, as `<target>/<profile>/xtask`.
pub fn target() -> PathBuf {
    let own = std::env::current_exe().ok();
    own.as_deref()
        .and_then(|program| program.parent()?.parent())
        .map_or_else(|| root().join("target"), Path::to_owned)
}

/// The domains, by name: each has a worker, and each worker a file in `workers/src/bin`.
pub fn domains() -> Result<Vec<String>, Error> {
    let folder = root().join("workers/src/bin");
    let mut domains = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(Error::file(&folder))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        domains.extend(name.strip_suffix("-worker.rs").map(str::to_owned));
    }
    domains.sort();
    Ok(domains)
}

/// The programs of Millrace, by name.
fn programs() -> Result<Vec<String>, Error> {
    let workers = domains()?.into_iter().map(|domain| format!("{domain}-worker"));
    Ok(["producer-api", "ops"].map(str::to_owned).into_iter().chain(workers).collect())
}

/// The features with which programs can be made to die at a given point and to break a given guarantee.
pub const ARMED: &str = "millrace-workers/armed,producer-api/armed";

/// Builds the programs of Millrace and returns the folder they are in.
pub fn build_programs(release: bool) -> Result<PathBuf, Error> {
    let mut build = build(&programs()?);
    if release {
        build.arg("--release");
    }
    run(build)?;
    Ok(target().join(if release { "release" } else { "debug" }))
}

/// Builds programs that can die at a given point and break a given guarantee, and keeps them in the folder `armed`.
///
/// The ones without faults are put back where cargo leaves programs.
pub fn build_armed_programs() -> Result<(), Error> {
    let programs = programs()?;
    let mut armed = build(&programs);
    armed.args(["--features", ARMED]);
    run(armed)?;
    let folder = target().join("armed");
    std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    for program in &programs {
        let (built, kept) = (target().join("debug").join(program), folder.join(program));
        // A new file, as the old one may be running.
        let fresh = folder.join(format!("{program}.new"));
        std::fs::copy(&built, &fresh).map_err(Error::file(&built))?;
        std::fs::rename(&fresh, &kept).map_err(Error::file(&kept))?;
    }
    run(build(&programs))
}

/// Builds these programs with the features of the whole workspace. A package that is named gets features of its own, and so
/// do all crates below it: they would be built once more.
pub fn build(programs: &[impl AsRef<str>]) -> Command {
    let mut build = cargo(&["build", "--quiet", "--locked"]);
    for program in programs {
        build.args(["--bin", program.as_ref()]);
    }
    build
}

/// Runs a command to its end with its output shown.
pub fn run(mut command: Command) -> Result<(), Error> {
    let line = line_of(&command);
    let status = command.status().map_err(|source| Error::NotStarted { command: line.clone(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { command: line, status, said: String::new() })
}

/// Runs a command to its end and shows its output only if it fails.
pub fn run_quietly(mut command: Command) -> Result<String, Error> {
    let line = line_of(&command);
    let output = command.output().map_err(|source| Error::NotStarted { command: line.clone(), source })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = format!(":\n{}{}", text(&output.stdout), text(&output.stderr));
    Err(Error::Failed { command: line, status: output.status, said })
}

/// The command as a person would type it, without its folder.
fn line_of(command: &Command) -> String {
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.get_args().fold(program, |line, argument| format!("{line} {}", argument.to_string_lossy()))
}
