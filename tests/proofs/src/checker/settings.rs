//! What the checker is told on its command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use url::Url;

/// Posts jobs to the doors while others break things, and says afterwards whether the promise held: a job answered with
/// 202 is never lost, its effect happens exactly once, and nothing is dead-lettered because something was down.
///
/// Prints a line of counts per second on stdout, and `{"event":"sent-all"}` when all is sent. A line `healed` on stdin
/// says that nothing is broken any more: the checker then finishes, waits until all is quiet, and writes verdict.json.
/// Exit code: 0 it held, 1 it was violated, 2 it could not be checked. The database must be new.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where jobs are posted, in turn
    #[arg(long, value_name = "URL", required = true, num_args = 1..)]
    pub door: Vec<Url>,

    /// With which API key
    #[arg(long, value_name = "KEY")]
    pub api_key: String,

    /// The client whose key that is
    #[arg(long, value_name = "NAME", default_value = "dev")]
    pub client: String,

    /// The broker itself, with user, password and vhost, past any proxy
    #[arg(long, value_name = "URL")]
    pub amqp_url: Url,

    /// The broker's management API, with user and password
    #[arg(long, value_name = "URL")]
    pub management_url: Url,

    /// The vhost, as the management API is asked for it
    #[arg(long, value_name = "NAME")]
    pub vhost: String,

    /// The database itself, past any proxy
    #[arg(long, value_name = "URL")]
    pub database_url: Url,

    /// How many jobs are posted
    #[arg(long, value_name = "COUNT")]
    pub jobs: u64,

    /// Over how many seconds they are spread
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub over: Duration,

    /// What the load is drawn from: the same seed, the same jobs
    #[arg(long, value_name = "NUMBER")]
    pub seed: u64,

    /// Where history.jsonl and verdict.json are written, and faults.jsonl is read
    #[arg(long, value_name = "FOLDER")]
    pub history: PathBuf,

    /// How many unreadable messages are published, as a share of the jobs
    #[arg(long, value_name = "SHARE", default_value = "0.002", value_parser = share)]
    pub poison_share: f64,

    /// Of how many messages copies are published, as a share of all messages
    #[arg(long, value_name = "SHARE", default_value = "0.02", value_parser = share)]
    pub duplicate_share: f64,

    /// Within how many seconds all must be quiet once it is healed
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub quiet_within: Duration,

    /// How many sessions the doors and workers may have in the database at the end; left out, they are only counted
    #[arg(long, value_name = "COUNT")]
    pub sessions_max: Option<usize>,

    /// Post nothing: judge the history that is there, on the database and broker as they are
    #[arg(long)]
    pub only_judge: bool,
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
