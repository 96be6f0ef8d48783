//! The API's settings.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::HeaderValue;
use clap::{CommandFactory, Parser};
use millrace_service::Secret;
use millrace_service::settings::{
    BrokerSettings, DatabaseSettings, DrainSettings, Settings, TelemetrySettings, count, millis,
};

/// A secret of this length can't be guessed.
const SECRET_MIN_CHARS: usize = 32;
/// A key of this length can't be found by trying.
const KEY_MIN_CHARS: usize = 16;

/// Millrace's producer API. Accepts jobs (POST /v1/jobs/{command}), publishes them and answers 202 once the broker has
/// confirmed them; shows what became of a job (GET /v1/jobs/{id}). / leads to the documents of all paths.
///
/// Probes: /healthz, /readyz, /metrics. SIGTERM or SIGINT stops gracefully, a second one at once. Exit code 78 means
/// that a setting is wrong.
#[derive(Debug, Clone, Parser)]
#[command(name = "producer-api", version)]
pub struct ApiSettings {
    /// Group "HTTP" of `--help`.
    #[command(flatten)]
    pub http: HttpSettings,
    /// Address of the broker.
    #[command(flatten)]
    pub broker: BrokerSettings,
    /// Group "RabbitMQ" of `--help`.
    #[command(flatten)]
    pub publish: PublishSettings,
    /// Address of the database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Group "Postgres" of `--help`.
    #[command(flatten)]
    pub reads: ReadSettings,
    /// How long stopping may take.
    #[command(flatten)]
    pub drain: DrainSettings,
    /// What is logged, and how.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}

/// How the API listens, whom it lets in, and its limits.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpSettings {
    /// Address and port to listen on; port 0 takes any free port and logs it
    #[arg(long, env = "API_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub api_listen: SocketAddr,

    /// Secret that tags job ids, at least 32 characters; the same for all processes of the API. With another secret, job
    /// ids given out before are unknown
    #[arg(long, env = "JOB_ID_SECRET", value_name = "TEXT", hide_env_values = true, value_parser = job_id_secret)]
    pub job_id_secret: Secret,

    /// API key for development, at least 16 characters, of the client `dev`, which may post every command. Without it, only
    /// issued keys are valid (ops keys bootstrap issues the first one)
    #[arg(long, env = "DEV_API_KEY", value_name = "TEXT", hide_env_values = true, value_parser = api_key)]
    pub dev_api_key: Option<Secret>,

    /// Requests that a client may send in a second, or at once after a second without any (1 to 1000000); each process
    /// counts for itself. Each line of a batch counts; a batch is slowed down, not refused
    #[arg(long, env = "API_CLIENT_RATE", value_name = "PER SECOND", default_value = "10000",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub api_client_rate: u32,

    /// Requests of one client that are served at once (1 to 65536), including those that wait or stream; further ones
    /// are answered 429
    #[arg(long, env = "API_CLIENT_IN_FLIGHT_MAX", value_name = "COUNT", default_value = "512",
        value_parser = count::<1, 65_536>)]
    pub api_client_in_flight_max: usize,

    /// Requests of all clients that are served at once (1 to 65536); further ones are answered 503
    #[arg(long, env = "API_IN_FLIGHT_MAX", value_name = "COUNT", default_value = "1024",
        value_parser = count::<1, 65_536>)]
    pub api_in_flight_max: usize,

    /// Interval at which the last use of API keys is recorded, in milliseconds (100 to 86400000)
    #[arg(long = "api-key-use-every-ms", env = "API_KEY_USE_EVERY_MS", value_name = "MILLISECONDS",
        default_value = "60000", value_parser = millis::<100, 86_400_000>)]
    pub api_key_use_every: Duration,

    /// Origins whose pages may call the API from a browser, separated by commas, such as `https://console.example.com`;
    /// without it, none may
    #[arg(long, env = "API_CORS_ORIGINS", value_name = "ORIGIN,…", value_delimiter = ',', value_parser = origin)]
    pub api_cors_origins: Vec<HeaderValue>,

    /// Largest request body, or line of a batch, in bytes (1024 to 1048576)
    #[arg(long, env = "API_BODY_MAX_BYTES", value_name = "BYTES", default_value = "262144",
        value_parser = count::<1024, 1_048_576>)]
    pub api_body_max_bytes: usize,

    /// How long a request's header may take to arrive, in milliseconds (100 to 60000); an idle connection is closed
    /// after the same time
    #[arg(long = "api-header-deadline-ms", env = "API_HEADER_DEADLINE_MS", value_name = "MILLISECONDS",
        default_value = "5000", value_parser = millis::<100, 60_000>)]
    pub api_header_deadline: Duration,

    /// How long a request's body may take to arrive, in milliseconds (100 to 60000); for a batch, the longest pause
    /// between two pieces of it
    #[arg(long = "api-body-deadline-ms", env = "API_BODY_DEADLINE_MS", value_name = "MILLISECONDS",
        default_value = "10000", value_parser = millis::<100, 60_000>)]
    pub api_body_deadline: Duration,

    /// Connections that are served at once (1 to 65536); further ones wait
    #[arg(long, env = "API_CONNECTIONS_MAX", value_name = "COUNT", default_value = "2048",
        value_parser = count::<1, 65_536>)]
    pub api_connections_max: usize,

    /// Passwords that are hashed at once (1 to 64); each takes 19 MiB and one processor for some 30 milliseconds
    #[arg(long, env = "API_PASSWORD_HASHERS", value_name = "COUNT", default_value = "2",
        value_parser = count::<1, 64>)]
    pub api_password_hashers: usize,
}

/// How jobs are published.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "RabbitMQ")]
pub struct PublishSettings {
    /// Channels that publish at the same time (1 to 64)
    #[arg(long, env = "PUBLISH_CHANNELS", value_name = "COUNT", default_value = "2", value_parser = count::<1, 64>)]
    pub publish_channels: usize,

    /// How long to wait for the broker's confirm, in milliseconds (100 to 30000); then the answer is 503
    #[arg(long = "publish-deadline-ms", env = "PUBLISH_DEADLINE_MS", value_name = "MILLISECONDS",
        default_value = "1000", value_parser = millis::<100, 30_000>)]
    pub publish_deadline: Duration,
}

/// How the ledger is read.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Postgres")]
pub struct ReadSettings {
    /// Connections that read the ledger (1 to 256)
    #[arg(long, env = "DATABASE_CONNECTIONS_MAX", value_name = "COUNT", default_value = "8",
        value_parser = count::<1, 256>)]
    pub database_connections_max: usize,
}

impl Settings for ApiSettings {
    fn telemetry(&self) -> &TelemetrySettings {
        &self.telemetry
    }
}

fn job_id_secret(text: &str) -> Result<Secret, String> {
    if text.chars().count() >= SECRET_MIN_CHARS {
        Ok(Secret::new(text))
    } else {
        Err(format!("expected at least {SECRET_MIN_CHARS} characters (openssl rand -hex 32 makes some)"))
    }
}

fn api_key(text: &str) -> Result<Secret, String> {
    // RFC 6750 §2.1: what may stand behind "Bearer".
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if text.len() >= KEY_MIN_CHARS && text.bytes().all(allowed) {
        Ok(Secret::new(text))
    } else {
        Err(format!("expected at least {KEY_MIN_CHARS} characters out of letters, digits and -._~+/="))
    }
}

fn origin(text: &str) -> Result<HeaderValue, String> {
    let whole = text.split_once("://").is_some_and(|(scheme, host)| {
        ["http", "https"].contains(&scheme) && !host.is_empty() && !host.contains(['/', '*', ' ', '@'])
    });
    let value = HeaderValue::try_from(text).ok().filter(|_| whole);
    value.ok_or_else(|| "expected an origin such as https://console.example.com, without a path".to_owned())
}

impl ApiSettings {
    /// Settings with these values and defaults for all others, listening on any free port of this machine: for running the
    /// API inside another program, such as a test.
    ///
    /// # Errors
    ///
    /// If a value is invalid, such as a secret of less than 32 characters.
    pub fn local(
        amqp_url: &str,
        database_url: &str,
        job_id_secret: &str,
        dev_api_key: &str,
    ) -> Result<Self, InvalidSettings> {
        let flags = [
            "producer-api",
            "--api-listen=127.0.0.1:0",
            &format!("--amqp-url={amqp_url}"),
            &format!("--database-url={database_url}"),
            &format!("--job-id-secret={job_id_secret}"),
            &format!("--dev-api-key={dev_api_key}"),
        ]
        .map(Into::into);
        match millrace_service::settings::read_from::<Self>(Self::command(), flags) {
            Ok((settings, _)) => Ok(settings),
            Err(refused) => Err(InvalidSettings(refused.to_string())),
        }
    }
}

/// Why settings were refused, as `--help` would say it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(String);
