//! `ops keys bootstrap`: issues the first API key, with which the API issues all others.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use millrace_broker::{Connection, ConnectionSettings, ConnectionStatus, Outgoing, PublishError, Publisher};
use millrace_contracts::auth::IssueApiKey;
use millrace_contracts::{ApiKey, PersonName, Scope};
use millrace_protocol::{ClientId, Contract, Envelope, Fingerprint, JobId, Route};
use millrace_service::Fatal;
use millrace_service::settings::{BrokerSettings, DatabaseSettings, count, millis};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::database;
use crate::program::say;

const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Issues the first API key and writes it to stdout; it can't be shown again
///
/// Only the key goes to stdout: `API_KEY=$(ops keys bootstrap --client admin --name "first key")`. A command to the auth
/// worker, which must be running, issues the key; the command and the database contain only its hash. Issue all further keys
/// with this one through the API: `auth.issue-api-key`.
///
/// Refuses if there is an active key that may issue keys. Where TRUSTED_PRODUCERS restricts the workers, it must include the
/// user of AMQP_URL.
#[derive(Args)]
pub struct Bootstrap {
    /// The client that will use the key: 1 to 64 lower case letters, digits, dots, dashes or underscores
    #[arg(long, value_name = "CLIENT", value_parser = |text: &str| ClientId::parse(text))]
    client: ClientId,

    /// A name for the key (1 to 200 characters)
    #[arg(long, value_name = "TEXT", value_parser = |text: &str| PersonName::parse(text))]
    name: PersonName,

    /// The key's scopes, separated by commas (1 to 32): jobs:orders.place, jobs:orders.* or jobs:*
    #[arg(
        long, value_name = "SCOPES", default_value = "jobs:*", value_delimiter = ',',
        value_parser = |text: &str| Scope::parse(text)
    )]
    scopes: Vec<Scope>,

    /// Number of days after which the key expires (1 to 3650); without it, the key works until it is revoked
    #[arg(long, value_name = "DAYS", value_parser = count::<1, 3650>)]
    expires_in_days: Option<usize>,

    /// Issue a key although an active one may issue keys, for example because that one was lost. Then revoke the lost one
    #[arg(long)]
    force: bool,

    /// Deadline for the auth worker, in milliseconds (100 to 600000)
    #[arg(
        long = "bootstrap-deadline-ms", env = "BOOTSTRAP_DEADLINE_MS", value_name = "MILLISECONDS", default_value = "30000",
        value_parser = millis::<100, 600_000>
    )]
    deadline: Duration,

    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    database: DatabaseSettings,
}

/// The command's row in the ledger.
struct Outcome {
    status: String,
    problem: Option<String>,
}

impl Bootstrap {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        let mut connection = database::connect(&self.database).await?;
        if !self.force {
            refuse_a_second_one(&mut connection).await?;
        }
        let key = new_key();
        let (job_id, issue) = (JobId(Uuid::now_v7()), self.command(&key));
        issue
            .validate()
            .map_err(|violation| Fatal::Misconfigured(format!("--scopes is wrong: {}", violation.message)))?;
        self.publish(job_id, &issue).await?;
        self.wait(&mut connection, job_id, &key).await?;
        eprintln!(
            "Issued API key {} of client {} with the id {job_id}. It can't be shown again; only its hash is stored",
            key.prefix(),
            self.client
        );
        say(key.reveal());
        Ok(ExitCode::SUCCESS)
    }

    fn command(&self, key: &ApiKey) -> IssueApiKey {
        let days = self.expires_in_days.and_then(|days| i64::try_from(days).ok());
        IssueApiKey {
            key_id: None,
            client_id: self.client.clone(),
            name: self.name.clone(),
            scopes: self.scopes.clone(),
            expires_at: days.map(|days| OffsetDateTime::now_utc() + time::Duration::days(days)),
            key_prefix: key.prefix(),
            key_hash: key.hash(),
        }
    }

    async fn publish(&self, job_id: JobId, issue: &IssueApiKey) -> Result<(), Fatal> {
        let body = serde_json::to_vec(issue).expect("messages are plain data");
        let message = Outgoing::new(Route::COMMAND, &envelope(job_id, &body), body);
        let connection = Connection::open(ConnectionSettings::new(self.broker.amqp_url.url().clone(), "ops"));
        let published = match connection.until_up().await {
            Ok(()) => {
                let publisher = Publisher::open(&connection, 1, CONFIRM_DEADLINE);
                publisher.publish([message].into()).await.map_err(|error| unpublished(&error, issue))
            }
            Err(status) => Err(unreachable(&status)),
        };
        connection.close().await;
        published
    }

    /// Waits until the auth worker has issued the key.
    async fn wait(&self, connection: &mut PgConnection, job_id: JobId, key: &ApiKey) -> Result<(), Fatal> {
        let until = tokio::time::Instant::now() + self.deadline;
        loop {
            let outcome = sqlx::query_file_as!(Outcome, "src/keys/outcome.sql", job_id.0)
                .fetch_optional(&mut *connection)
                .await
                .map_err(database::failed("read the command's outcome in the ledger"))?;
            match outcome {
                Some(Outcome { status, .. }) if status == "succeeded" => return Ok(()),
                Some(Outcome { status, problem }) if status != "retrying" => {
                    return Err(not_issued(&status, problem.as_deref()));
                }
                waiting if tokio::time::Instant::now() >= until => {
                    return Err(self.too_late(key, waiting.and_then(|outcome| outcome.problem)));
                }
                _ => tokio::time::sleep(LOOK_PAUSE).await,
            }
        }
    }

    fn too_late(&self, key: &ApiKey, problem: Option<String>) -> Fatal {
        let problem =
            problem.map(|problem| format!(" Its last attempt failed: {problem}.")).unwrap_or_default();
        Fatal::failed(format!(
            "The auth worker has not issued the key within {} ms: check that it runs.{problem} The command stays in its \
             queue, so the unknown key {} may appear in `ops keys list` later. Then issue another key with --force, and \
             revoke this one with it",
            self.deadline.as_millis(),
            key.prefix()
        ))
    }
}

async fn refuse_a_second_one(connection: &mut PgConnection) -> Result<(), Fatal> {
    let live = sqlx::query_file!("src/keys/live.sql")
        .fetch_all(connection)
        .await
        .map_err(database::failed("look for active keys"))?;
    let issues = |scope: &String| Scope::parse(scope.as_str()).is_ok_and(|it| it.allows(IssueApiKey::TYPE));
    match live.into_iter().find(|key| key.scopes.iter().any(issues)) {
        None => Ok(()),
        Some(key) => Err(Fatal::failed(format!(
            "Key {} of client {} is active and may issue keys: issue the new one with it, through the API (`{}`). If it \
             is lost, use --force, and then revoke it",
            key.key_prefix,
            key.client_id,
            IssueApiKey::TYPE
        ))),
    }
}

fn new_key() -> ApiKey {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).expect("the kernel always gives random bytes once it has booted");
    ApiKey::of(bits)
}

/// The envelope of a new job.
fn envelope(job_id: JobId, body: &[u8]) -> Envelope {
    let client = ClientId::parse("ops").expect("a client's name");
    Envelope::first::<IssueApiKey>(job_id, client, Fingerprint::of(body))
}

fn unreachable(status: &ConnectionStatus) -> Fatal {
    Fatal::failed(format!(
        "No key was issued: {status}. Check that RabbitMQ runs, and AMQP_URL, then try again"
    ))
}

fn unpublished(error: &PublishError, issue: &IssueApiKey) -> Fatal {
    let advice = match error {
        PublishError::Unroutable => "`ops topology apply` creates the queue".to_owned(),
        PublishError::Refused => "Try again when the auth worker has emptied its queue".to_owned(),
        PublishError::Unavailable(_) => "Try again".to_owned(),
        PublishError::Unknown(_) => format!(
            "Try again; if the unknown key {} appears in `ops keys list`, revoke it",
            issue.key_prefix
        ),
    };
    Fatal::failed(format!("No key was issued: {error}. {advice}"))
}

fn not_issued(status: &str, problem: Option<&str>) -> Fatal {
    let problem = problem.unwrap_or("no reason given").trim_end_matches('.');
    Fatal::failed(match status {
        "refused" => format!("No key was issued: the auth worker refuses it: {problem}"),
        _ => format!(
            "No key was issued: the command is a dead letter: {problem}. `ops dead list auth` shows it"
        ),
    })
}

#[cfg(test)]
mod tests;
