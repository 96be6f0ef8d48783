//! The settings that several binaries share, in sections that each binary flattens into its own settings.
//!
//! Every setting is a flag and an environment variable, and its help text is its documentation. Give secrets by the
//! environment: everybody on the machine can read a process's arguments.

mod read;

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::secret::{InvalidUrl, SecretUrl};

pub use read::{EffectiveSettings, SettingsError, read, read_from};

/// A binary's settings: what `clap` reads, with the section on logging, and rules that concern several settings.
pub trait Settings: clap::FromArgMatches {
    /// The section on logging.
    fn telemetry(&self) -> &TelemetrySettings;

    /// Checks rules that concern several settings. The error is a sentence that names the variables.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// The section on logging.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub struct TelemetrySettings {
    /// How log lines are written to stderr: `text` for people, `json` for machines
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// Which log lines are written: a level (error, warn, info, debug, trace), or several per module, such as
    /// `info,millrace_runtime=debug`. Unless the filter names lapin, only its errors are written, since its
    /// warnings contain message bodies
    #[arg(long, env = "LOG_FILTER", default_value = "info", value_parser = log_filter)]
    pub log_filter: String,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { log_format: LogFormat::Text, log_filter: "info".to_owned() }
    }
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people, coloured on a terminal.
    Text,
    /// One JSON object per line.
    Json,
}

/// The section on RabbitMQ.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "RabbitMQ")]
pub struct BrokerSettings {
    /// RabbitMQ: amqp://user:password@host:5672/vhost, or amqps:// with TLS
    #[arg(long, env = "AMQP_URL", value_name = "URL", hide_env_values = true, value_parser = amqp_url)]
    pub amqp_url: SecretUrl,
}

/// The section on RabbitMQ's management API.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "RabbitMQ management")]
pub struct ManagementSettings {
    /// RabbitMQ's management API: http://user:password@host:15672, or https://
    #[arg(long, env = "AMQP_MANAGEMENT_URL", value_name = "URL", hide_env_values = true, value_parser = management_url)]
    pub amqp_management_url: SecretUrl,
}

/// The section on Postgres.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Postgres")]
pub struct DatabaseSettings {
    /// Postgres: postgres://user:password@host:5432/database?sslmode=verify-full. On another machine `sslmode` must
    /// be given, because the default silently falls back to plain text
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, value_parser = database_url)]
    pub database_url: SecretUrl,
}

/// The section on probes, for processes without another HTTP server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Probes")]
pub struct ProbeSettings {
    /// Address and port for /healthz, /readyz and /metrics; with port 0 the system chooses a free one, which is logged
    #[arg(long, env = "PROBES_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub probes_listen: SocketAddr,
}

/// The section on stopping.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Stopping")]
pub struct DrainSettings {
    /// Deadline for work in flight after SIGTERM or SIGINT, in milliseconds (100 to 600000); unfinished work is done
    /// again later
    #[arg(
        long = "drain-deadline-ms", env = "DRAIN_DEADLINE_MS", value_name = "MILLISECONDS", default_value = "10000",
        value_parser = millis::<100, 600_000>
    )]
    pub drain_deadline: Duration,
}

/// The filter's text, unchanged.
fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            Err(format!("expected a level or a filter such as info,millrace_runtime=debug ({error})"))
        }
    }
}

fn amqp_url(text: &str) -> Result<SecretUrl, InvalidUrl> {
    SecretUrl::parse(text, &["amqp", "amqps"])
}

fn management_url(text: &str) -> Result<SecretUrl, InvalidUrl> {
    SecretUrl::parse(text, &["http", "https"])
}

/// A `value_parser` for a Postgres URL. A URL of another machine must have the parameter `sslmode`.
pub fn database_url(text: &str) -> Result<SecretUrl, InvalidUrl> {
    let url = SecretUrl::parse(text, &["postgres", "postgresql"])?;
    let says = url.parameter("sslmode").is_some() || url.parameter("ssl-mode").is_some();
    if says || url.is_local() { Ok(url) } else { Err(InvalidUrl::SslModeMissing) }
}

/// A `value_parser` for a whole number of milliseconds from `MIN` to `MAX`.
pub fn millis<const MIN: u64, const MAX: u64>(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(millis) if (MIN..=MAX).contains(&millis) => Ok(Duration::from_millis(millis)),
        _ => Err(format!("expected a whole number of milliseconds from {MIN} to {MAX}")),
    }
}

/// A `value_parser` for a whole number from `MIN` to `MAX`.
pub fn count<const MIN: usize, const MAX: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (MIN..=MAX).contains(&count) => Ok(count),
        _ => Err(format!("expected a whole number from {MIN} to {MAX}")),
    }
}
