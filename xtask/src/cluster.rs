//! `cargo xtask cluster`: Millrace on three RabbitMQ nodes, some of which are killed, frozen or cut off.

use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use clap::Args;
use millrace_harness::services::watchdog::Watchdog;

use crate::cargo::{self, cargo};
use crate::matrix::Pair;
use crate::signals::asked_to_stop;
use crate::trouble::Trouble;

const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Break a cluster of three RabbitMQ nodes under load, and see what that costs and whether anything is lost.
///
/// Needs root and a Docker engine (`.ci/engine` starts one); images are built from Debian packages where they are missing.
#[derive(Debug, Args)]
pub struct Options {
    /// Version of RabbitMQ: 4.3, 4.0 or 3.10
    #[arg(long = "rabbitmq", value_name = "VERSION", default_value = "4.3", value_parser = Pair::parse)]
    pair: &'static Pair,

    /// RabbitMQ's image, instead of the version's own
    #[arg(long)]
    image: Option<String>,

    /// Only this scenario; may be given several times. `--scenario help` lists them
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,

    /// Further arguments for the program itself, such as `--rate 100` or `--history FOLDER`
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

pub async fn run(options: Options) -> Result<ExitCode, Trouble> {
    let programs = cargo::build_programs(false)?;
    let mut build = cargo(&["build", "--quiet", "--locked", "--package", "millrace-harness"]);
    build.args(["--bin", "cluster", "--bin", "checker"]);
    cargo::run(build)?;
    options.pair.build_images()?;
    let mut cluster = Command::new(programs.join("cluster"));
    cluster.current_dir(cargo::root()).arg("--programs").arg(&programs);
    cluster.args(["--image", options.image.as_deref().unwrap_or(options.pair.rabbitmq)]);
    cluster.args(["--postgres-image", options.pair.postgres]);
    for scenario in &options.scenario {
        cluster.args(["--scenario", scenario]);
    }
    cluster.args(&options.arguments);
    let status = to_its_end(cluster).await?;
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
