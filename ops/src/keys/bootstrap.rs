//! `ops keys bootstrap`: the first API key, with which all others are issued at the door.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use millrace_broker::{Connection, ConnectionSettings, ConnectionStatus, Outgoing, PublishError, Publisher};
use millrace_contracts::auth::IssueApiKey;
use millrace_contracts::{
    ApiKey, ClientId, Contract, Envelope, Fingerprint, JobId, PersonName, Route, Scope,
};
use millrace_service::Fatal;
use millrace_service::settings::{BrokerSettings, DatabaseSettings, count, millis};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::database;
use crate::run::say;

const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Issues the first API key and writes it to stdout, this once; nothing else goes there
///
/// `API_KEY=$(ops keys bootstrap --client admin --name "first key")` keeps it in a variable. The key is issued as the door
/// issues keys, by a command to the auth worker, which must be running; only its hash travels and is kept. All further keys
/// are issued at the door, with this one: `auth.issue-api-key`.
///
/// Where a key that may issue keys is alive already, this refuses. Where workers trust only certain producers, the user of
/// AMQP_URL must be one of them.
#[derive(Args)]
pub struct Bootstrap {
    /// The upstream system that will use the key: 1 to 64 lower case letters, digits, dots, dashes or underscores
    #[arg(long, value_name = "CLIENT", value_parser = |text: &str| ClientId::parse(text))]
    client: ClientId,

    /// What people call the key (1 to 200 characters)
    #[arg(long, value_name = "TEXT", value_parser = |text: &str| PersonName::parse(text))]
    name: PersonName,

    /// What the key may do, separated by commas (1 to 32): jobs:orders.place, jobs:orders.* or jobs:*
    #[arg(
        long, value_name = "SCOPES", default_value = "jobs:*", value_delimiter = ',',
        value_parser = |text: &str| Scope::parse(text)
    )]
    scopes: Vec<Scope>,

    /// The key works for so many days (1 to 3650); left out, until it is revoked
    #[arg(long, value_name = "DAYS", value_parser = count::<1, 3650>)]
    expires_in_days: Option<usize>,

    /// Issues one although there is one that may issue keys: because that was lost, say. Revoke the other one then
    #[arg(long)]
    force: bool,

    /// How long the auth worker may take, in milliseconds (100 to 600000)
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

/// What the ledger says of the command.
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
        let key = minted();
        let (job_id, issue) = (JobId(Uuid::now_v7()), self.command(&key));
        issue
            .validate()
            .map_err(|violation| Fatal::Misconfigured(format!("--scopes is wrong: {}", violation.message)))?;
        self.publish(job_id, &issue).await?;
        self.wait(&mut connection, job_id, &key).await?;
        eprintln!(
            "Issued API key {} of client {} under the id {job_id}. It is shown this once; only its hash is kept",
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

    /// Until the auth worker has decided: a key that nobody knows is of no use.
    async fn wait(&self, connection: &mut PgConnection, job_id: JobId, key: &ApiKey) -> Result<(), Fatal> {
        let until = tokio::time::Instant::now() + self.deadline;
        loop {
            let outcome = sqlx::query_file_as!(Outcome, "src/keys/outcome.sql", job_id.0)
                .fetch_optional(&mut *connection)
                .await
                .map_err(database::failed("read in the ledger what became of the key"))?;
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
        let trouble = problem.map(|problem| format!(" It has had trouble: {problem}.")).unwrap_or_default();
        Fatal::failed(format!(
            "The auth worker has not issued the key within {} ms: check that it runs.{trouble} The command stays in its \
             queue, so a key {} that nobody knows may appear in `ops keys list` later: revoke it then, with a key that you \
             get by --force",
            self.deadline.as_millis(),
            key.prefix()
        ))
    }
}

async fn refuse_a_second_one(connection: &mut PgConnection) -> Result<(), Fatal> {
    let live = sqlx::query_file!("src/keys/live.sql")
        .fetch_all(connection)
        .await
        .map_err(database::failed("look for keys that are alive"))?;
    let issues = |scope: &String| Scope::parse(scope.as_str()).is_ok_and(|it| it.allows(IssueApiKey::TYPE));
    match live.into_iter().find(|key| key.scopes.iter().any(issues)) {
        None => Ok(()),
        Some(key) => Err(Fatal::failed(format!(
            "Key {} of client {} is alive and may issue keys: issue this one with it, at the door (`{}`). If it is lost, \
             give --force, and revoke it",
            key.key_prefix,
            key.client_id,
            IssueApiKey::TYPE
        ))),
    }
}

fn minted() -> ApiKey {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).expect("the kernel always gives random bytes once it has booted");
    ApiKey::of(bits)
}

/// A job of ours, as the door would begin one.
fn envelope(job_id: JobId, body: &[u8]) -> Envelope {
    let client = ClientId::parse("ops").expect("a client's name");
    Envelope::first::<IssueApiKey>(job_id, client, Fingerprint::of(body))
}

fn unreachable(status: &ConnectionStatus) -> Fatal {
    Fatal::failed(format!(
        "No key was issued: {status}. Check that RabbitMQ runs, and AMQP_URL, then do it again"
    ))
}

fn unpublished(error: &PublishError, issue: &IssueApiKey) -> Fatal {
    let advice = match error {
        PublishError::Unroutable => "`ops topology apply` mends that".to_owned(),
        PublishError::Refused => "The auth worker must catch up first".to_owned(),
        PublishError::Unavailable(_) => "Do it again".to_owned(),
        PublishError::Unknown(_) => format!(
            "Do it again; if a key {} then appears in `ops keys list`, revoke it, since nobody knows it",
            issue.key_prefix
        ),
    };
    Fatal::failed(format!("No key was issued: {error}. {advice}"))
}

fn not_issued(status: &str, problem: Option<&str>) -> Fatal {
    let problem = problem.unwrap_or("it does not say why").trim_end_matches('.');
    Fatal::failed(match status {
        "refused" => format!("Auth refuses to issue the key: {problem}"),
        _ => format!(
            "Auth gave the command up, and no key was issued: {problem}. `ops dead list auth` shows it"
        ),
    })
}

#[cfg(test)]
mod tests;
