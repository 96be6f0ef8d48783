//! The API against its OpenAPI document: schemathesis generates requests from it and checks the answers against it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use millrace_stack::services::Services;
use millrace_stack::stack::program::Log;

use super::{Options, copy, installed, is_current, sources};
use crate::backends::Backends;
use crate::cargo::{self, run_quietly};
use crate::error::Error;
use crate::proof;
use crate::signals::asked_to_stop;
use crate::stack::{ApiSettings, Stack};

pub(super) async fn check(options: &Options) -> Result<ExitCode, Error> {
    let schemathesis = install()?;
    println!("documents: building the programs");
    let programs = cargo::build_programs(false)?;
    let services = Services::find_or_start()?;
    let backends = Backends::create(&services, "documents").await?;
    let outcome = tokio::select! {
        outcome = against_api(options, &schemathesis, &programs, &backends) => outcome,
        () = asked_to_stop() => Err(Error::Interrupted),
    };
    backends.remove().await?;
    outcome
}

/// Returns the program.
fn install() -> Result<PathBuf, Error> {
    let folder = installed()?;
    let environment = folder.join("venv");
    if !is_current("requirements.txt", &folder) {
        println!("documents: installing schemathesis");
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&environment);
        run_quietly(make)?;
        let mut install = Command::new(environment.join("bin/pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        install.arg(sources().join("requirements.txt"));
        run_quietly(install)?;
        // Last, because this copy says that the installation is complete.
        copy("requirements.txt", &folder)?;
    }
    Ok(environment.join("bin/schemathesis"))
}

async fn against_api(
    options: &Options,
    schemathesis: &Path,
    programs: &Path,
    backends: &Backends,
) -> Result<ExitCode, Error> {
    let logs = cargo::folder_of_runs()?.join("documents/logs");
    fs::create_dir_all(&logs).map_err(Error::file(&logs))?;
    println!("documents: starting the API and the workers (logs in {})", logs.display());
    let stack = Stack::start(programs, backends, ApiSettings::random()?, Log::Files(logs.clone())).await?;
    let mut run = Command::new(schemathesis);
    run.arg("--config-file").arg(sources().join("schemathesis.toml"));
    run.arg("run").arg(format!("{}/openapi.json", stack.api.url));
    run.args(["--max-examples", &options.examples.to_string(), "--seed", &options.seed.to_string()]);
    run.args(["--workers", &options.workers.to_string(), "--report", "junit", "--report-dir"]).arg(&logs);
    run.env("API_KEY", &stack.api.api_key).env("SCHEMATHESIS_HOOKS", sources().join("hooks.py"));
    // It writes its findings into its working directory.
    run.current_dir(&logs);
    let outcome = proof::ends_as(run).await;
    for name in stack.stop().await {
        println!("documents: {name} did not stop in time and was killed");
    }
    outcome
}
