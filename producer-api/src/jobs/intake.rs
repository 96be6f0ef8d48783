//! Takes a job in: checks it, gives it its id, hands it to the broker, and is done once the broker has confirmed it.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Outgoing, PendingReply, PublishError, Publisher, ReplyQueue};
use millrace_contracts::catalog::{self, Entry};
use millrace_contracts::{ApiKey, ClientId, Envelope, Fingerprint, JobId, Kind, Trace};
use millrace_faults::{Mutant, Point, mutated, reach};

use crate::idempotency::{Claim, IdempotencyKey, Use, Uses};
use crate::job_id::JobIds;
use crate::keys::Client;
use crate::ledger::Ledger;
use crate::problem::Problem;
use crate::secrets::{Asked, Secrets, Wire};

/// Longer names are no misspelt commands, and comparing them would cost time.
const NAME_MAX_BYTES: usize = 64;

/// What taking a job in needs.
#[derive(Debug)]
pub(crate) struct Intake {
    pub ids: Arc<JobIds>,
    pub publisher: Publisher,
    pub replies: ReplyQueue,
    pub ledger: Ledger,
    pub secrets: Secrets,
    pub uses: Uses,
    pub body_max_bytes: usize,
    pub body_deadline: Duration,
}

/// A command that a client may post.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permitted(&'static Entry);

impl Permitted {
    /// The command of this name, if there is one and it is in the client's scopes.
    pub fn of(client: &Client, name: &str) -> Result<Self, Problem> {
        let command = command(name)?;
        if client.may(command.message_type) {
            Ok(Self(command))
        } else {
            Err(Problem::ScopeMissing { command: command.message_type })
        }
    }
}

/// A job as it was posted.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub client: &'a Client,
    pub command: Permitted,
    pub data: &'a [u8],
    pub key: Option<&'a IdempotencyKey>,
    pub trace: Trace,
    /// How long it may wait for its turn to hash a password.
    pub turn: Duration,
    /// Whether its outcome is waited for.
    pub awaited: bool,
}

/// A job that the broker has.
#[derive(Debug)]
pub(crate) struct Taken {
    pub job_id: JobId,
    pub command: &'static Entry,
    /// Shown this once; nobody can look it up later.
    pub api_key: Option<ApiKey>,
    /// A worker had it already.
    pub replayed: bool,
    /// What the worker will answer.
    pub answer: Option<PendingReply>,
}

impl Intake {
    /// Takes a job in.
    pub async fn take(&self, job: Job<'_>) -> Result<Taken, Problem> {
        let Permitted(command) = job.command;
        let client_id = &job.client.id;
        let named = job.key.map(|key| self.ids.named(client_id, key));
        let asked = Asked { client: job.client, data: job.data, named, turn: job.turn };
        let wire = self.secrets.keep_out(command, asked).await?;
        reach(Point::JobRead);
        let job_id = named.unwrap_or_else(|| self.ids.mint(client_id));
        let replayed = match named {
            Some(_) => self.is_replayed(job_id, command, client_id, &wire.fingerprint).await?,
            None => false,
        };
        let answer = if replayed { None } else { self.hand_over(&job, command, job_id, &wire).await? };
        Ok(Taken { job_id, command, api_key: wire.key, replayed, answer })
    }

    /// Whether a worker has a job of this name already. A name that was used for something else is refused, as far as that
    /// is known: to the ledger, or, of what no worker has touched yet, to this door.
    async fn is_replayed(
        &self,
        job_id: JobId,
        command: &'static Entry,
        client: &ClientId,
        fingerprint: &Fingerprint,
    ) -> Result<bool, Problem> {
        let asked = Use { command: command.message_type, fingerprint: fingerprint.clone() };
        match self.ledger.posted(job_id, client).await {
            Ok(Some(posted))
                if posted.message_type == asked.command && posted.fingerprint == fingerprint.as_str() =>
            {
                return Ok(true);
            }
            Ok(Some(_)) => return Err(Problem::KeyReused),
            Ok(None) => {}
            // Sent once more it does no harm: a worker finds it in the ledger.
            Err(error) => {
                tracing::debug!(job.id = %job_id, "Whether the job is known can't be looked up: {error}");
            }
        }
        // No worker has it, as far as is known.
        match self.uses.claim(job_id, &asked) {
            Claim::Other => Err(Problem::KeyReused),
            Claim::First | Claim::Again => Ok(false),
        }
    }

    /// Publishes the job. Gives back where its worker's answer will be, if it is waited for and can be.
    async fn hand_over(
        &self,
        job: &Job<'_>,
        command: &'static Entry,
        job_id: JobId,
        wire: &Wire,
    ) -> Result<Option<PendingReply>, Problem> {
        let (client, fingerprint) = (job.client.id.clone(), wire.fingerprint.clone());
        let first = Envelope::of_job(job_id, client, command.message_type, command.version, fingerprint);
        let envelope = Envelope { trace: job.trace.clone(), ..first };
        let mut message = Outgoing::new(command.exchange(), &envelope, wire.body.clone());
        let answer = if job.awaited { self.replies.expect_reply(job_id) } else { None };
        if let Some(answer) = &answer {
            message = message.with_reply_to(answer.address());
        }
        reach(Point::JobSending);
        match publish(&self.publisher, message).await {
            Ok(()) => {
                reach(Point::JobConfirmed);
                metrics::counter!("millrace_jobs_accepted_total", "command" => command.message_type)
                    .increment(1);
                tracing::debug!(job.id = %job_id, command = command.message_type, "Accepted a job");
                Ok(answer)
            }
            Err(source) => {
                if job.key.is_some() && !matches!(source, PublishError::Unknown(_)) {
                    self.uses.release(job_id);
                }
                Err(Problem::NotPublished { job_id, source })
            }
        }
    }
}

async fn publish(publisher: &Publisher, message: Outgoing) -> Result<(), PublishError> {
    if mutated(Mutant::AcceptedBeforeConfirm) {
        let publisher = publisher.clone();
        tokio::spawn(async move { publisher.publish([message].into()).await });
        return Ok(());
    }
    publisher.publish([message].into()).await
}

/// The command of this name. Events, and what a domain says to itself, are not for upstream systems.
fn command(name: &str) -> Result<&'static Entry, Problem> {
    let commands = || catalog::all().iter().filter(|entry| entry.kind == Kind::Command);
    commands().find(|entry| entry.message_type == name).ok_or_else(|| {
        let near = commands()
            .filter(|_| name.len() <= NAME_MAX_BYTES)
            .map(|entry| (strsim::damerau_levenshtein(entry.message_type, name), entry.message_type))
            .filter(|(distance, known)| *distance <= known.len() / 3);
        Problem::UnknownCommand { nearest: near.min().map(|(_, known)| known) }
    })
}
