//! What the checker is told on its command line, by people and by the proofs that start it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use millrace_testkit::stack::Addresses;
use url::Url;

use crate::error::Error;

/// Post jobs while others break things, and say afterwards whether the promise held: a job answered with 202 is never
/// lost, its effect happens exactly once, and nothing is dead-lettered because something was down.
///
/// A line on stdin, or its end, says that nothing is broken any more: the checker then finishes, waits until all is quiet,
/// and writes verdict.json. Exit code: 0 it held, 1 it was violated, 2 it could not be checked. The database must be new.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(flatten)]
    pub endpoints: Endpoints,

    #[command(flatten)]
    pub workload: Workload,

    /// The client whose API key that is
    #[arg(long, value_name = "NAME", default_value = "dev")]
    pub client: String,

    /// Where history.jsonl and verdict.json are written, and faults.jsonl is read
    #[arg(long, value_name = "FOLDER")]
    pub history: PathBuf,

    /// How many sessions APIs and workers may have in the database at the end; left out, they are only counted
    #[arg(long, value_name = "COUNT")]
    pub sessions_max: Option<usize>,

    /// Post nothing: judge the history that is there, on the database and broker as they are
    #[arg(long)]
    pub only_judge: bool,
}

/// Where everything is, past any proxy.
#[derive(Debug, Clone, Args)]
pub struct Endpoints {
    /// Where jobs are posted, in turn
    #[arg(long = "api", value_name = "URL", required = true, num_args = 1..)]
    pub apis: Vec<Url>,

    /// With which API key
    #[arg(long, value_name = "KEY")]
    pub api_key: String,

    /// The broker, with user, password and vhost
    #[arg(long, value_name = "URL")]
    pub amqp_url: Url,

    /// The broker's management API, with user and password
    #[arg(long, value_name = "URL")]
    pub management_url: Url,

    /// The vhost, percent-encoded, as the management API is asked for it
    #[arg(long, value_name = "NAME")]
    pub vhost: String,

    /// The database
    #[arg(long, value_name = "URL")]
    pub database_url: Url,
}

/// What is posted and injected.
#[derive(Debug, Clone, Args)]
pub struct Workload {
    /// How many jobs are posted
    #[arg(long, value_name = "COUNT")]
    pub jobs: u64,

    /// Over how many seconds they are spread
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub over: Duration,

    /// What the load is drawn from: the same seed, the same jobs
    #[arg(long, value_name = "NUMBER")]
    pub seed: u64,

    #[command(flatten)]
    pub injections: Injections,
}

/// What any run may be told about its workload.
#[derive(Debug, Clone, Args)]
pub struct Injections {
    /// How many unreadable messages are published, as a share of the jobs
    #[arg(long, value_name = "SHARE", default_value = "0.002", value_parser = share)]
    pub poison_share: f64,

    /// Of how many messages copies are published, as a share of all messages
    #[arg(long, value_name = "SHARE", default_value = "0.02", value_parser = share)]
    pub duplicate_share: f64,

    /// Within how many seconds all must be quiet once everything is healed
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub quiet_within: Duration,
}

impl Endpoints {
    /// These APIs, on these servers.
    pub fn new(apis: &[String], api_key: &str, vhost: &str, servers: &Addresses) -> Result<Self, Error> {
        let parsed = |url: &str| Url::parse(url).map_err(Error::doing(format!("reading the URL {url}")));
        Ok(Self {
            apis: apis.iter().map(|url| parsed(url)).collect::<Result<_, _>>()?,
            api_key: api_key.to_owned(),
            amqp_url: parsed(&servers.amqp_url)?,
            management_url: parsed(&servers.management_url)?,
            vhost: vhost.to_owned(),
            database_url: parsed(&servers.database_url)?,
        })
    }
}

impl Options {
    /// On this system, with this load, for the client of the development key.
    pub fn new(endpoints: Endpoints, workload: Workload, history: PathBuf) -> Self {
        let client = "dev".to_owned();
        Self { endpoints, workload, client, history, sessions_max: None, only_judge: false }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let expected = || "expected a number of seconds, such as 30 or 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| expected())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| expected())
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to 1, such as 0.01".to_owned()),
    }
}
