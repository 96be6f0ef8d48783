//! `cargo xtask cluster`: Millrace on three RabbitMQ nodes, some of which are killed, frozen or cut off.

use std::process::ExitCode;

use clap::Args;

use crate::matrix::Pair;
use crate::trouble::Trouble;
use crate::{cargo, proof};

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
    options.pair.build_images()?;
    let mut cluster = proof::command("cluster", &["checker"], &[], &programs)?;
    cluster.args(["--image", options.image.as_deref().unwrap_or(options.pair.rabbitmq)]);
    cluster.args(["--postgres-image", options.pair.postgres]);
    for scenario in &options.scenario {
        cluster.args(["--scenario", scenario]);
    }
    cluster.args(&options.arguments);
    proof::outcome(cluster).await
}
