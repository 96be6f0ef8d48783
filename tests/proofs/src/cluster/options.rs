//! What a run of the cluster can be told.

use std::path::PathBuf;

use clap::Args;
use millrace_testkit::services::images::Images;

use crate::cluster::scenario::Scenario;
use crate::programs::Programs;

/// Runs Millrace on three RabbitMQ nodes in containers, breaks them under steady load, and says what that cost.
///
/// The checker posts the load and judges. Exit code 0: nothing lost, nothing twice, and every
/// outage within its limit. 1: not so. 2: it could not be tried. Needs root and a Docker engine on this machine, whose
/// containers it reaches by their endpoints.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    pub programs: Programs,

    /// Version of RabbitMQ: 4.3, 4.0 or 3.10
    #[arg(long = "rabbitmq", value_name = "VERSION", default_value = "4.3", value_parser = Images::of)]
    pub images: &'static Images,

    /// RabbitMQ's image, instead of the version's own
    #[arg(long)]
    pub image: Option<String>,

    /// Only this scenario; may be given several times. Without it, all run one after the other
    #[arg(long, value_enum, value_name = "NAME")]
    pub scenario: Vec<Scenario>,

    /// Jobs posted per second
    #[arg(long, value_name = "COUNT", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=500))]
    pub rate: u64,

    /// What the load is drawn from: the same seed, the same jobs
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// How long a silent node is taken to be alive: Erlang's `net_ticktime`, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(4..=120))]
    pub net_ticktime_s: u32,

    /// How long a queue keeps what consumers of a vanished node held, in seconds: `consumer_disconnected_timeout`,
    /// which RabbitMQ knows from 4.3 on. Left out, it is as it comes: 60
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=600))]
    pub disconnected_timeout_s: Option<u32>,

    /// Where logs, histories and verdicts are kept, in a folder for each scenario
    #[arg(long, value_name = "FOLDER", default_value = "target/cluster")]
    pub history: PathBuf,
}

impl Options {
    /// RabbitMQ's image.
    pub fn image(&self) -> &str {
        self.image.as_deref().unwrap_or(self.images.rabbitmq)
    }
}
