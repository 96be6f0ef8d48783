//! Accepts a job: checks it, gives it its id, publishes it, and returns once the broker has confirmed it.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Outgoing, PendingReply, PublishError, Publisher, ReplyQueue};
use millrace_contracts::ApiKey;
use millrace_faults::{Point, reach};
use millrace_protocol::{Catalog, ClientId, Entry, Envelope, Fingerprint, JobId, Trace};

use crate::client::Client;
use crate::idempotency::{Claim, IdempotencyCache, IdempotencyKey, Usage};
use crate::job_id::JobIds;
#[cfg(feature = "armed")]
use crate::jobs::mutants::publish;
use crate::ledger::Ledger;
use crate::problem::Problem;
use crate::secrets::{Request, SealedBody, Secrets};

/// A longer name is not compared with the commands: it is no misspelt one, and comparing takes time.
const NAME_MAX_BYTES: usize = 64;

/// Accepts jobs.
#[derive(Debug)]
pub(crate) struct Intake {
    pub catalog: &'static Catalog,
    pub ids: Arc<JobIds>,
    pub publisher: Publisher,
    pub replies: ReplyQueue,
    pub ledger: Ledger,
    pub secrets: Secrets,
    pub cache: IdempotencyCache,
    /// The largest body of a job, or line of a batch, in bytes.
    pub body_max_bytes: usize,
    /// How long a body may take to arrive.
    pub body_deadline: Duration,
}

/// A command that the client may post.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permitted(&'static Entry);

/// A job as it was posted.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub client: &'a Client,
    pub command: Permitted,
    pub data: &'a [u8],
    pub key: Option<&'a IdempotencyKey>,
    pub trace: Trace,
    /// How long it may wait for a free password hasher.
    pub hasher_deadline: Duration,
    /// Whether the client waits for the outcome.
    pub awaited: bool,
}

/// A job that the broker has.
#[derive(Debug)]
pub(crate) struct Taken {
    pub job_id: JobId,
    pub command: &'static Entry,
    /// The new API key, which is shown only in the answer.
    pub api_key: Option<ApiKey>,
    /// Whether a worker had it already.
    pub replayed: bool,
    /// The worker's reply, if the client waits for it.
    pub reply: Option<PendingReply>,
}

impl Intake {
    /// The command of this name, if there is one and the client's scopes cover it.
    pub fn permit(&self, client: &Client, name: &str) -> Result<Permitted, Problem> {
        let command = command(self.catalog, name)?;
        if client.may(command.message_type) {
            Ok(Permitted(command))
        } else {
            Err(Problem::ScopeMissing { command: command.message_type })
        }
    }

    /// Accepts a job.
    pub async fn take(&self, job: Job<'_>) -> Result<Taken, Problem> {
        let Permitted(command) = job.command;
        let client_id = &job.client.id;
        let keyed = job.key.map(|key| self.ids.keyed(client_id, key));
        let request =
            Request { client: job.client, data: job.data, keyed, hasher_deadline: job.hasher_deadline };
        let sealed = self.secrets.seal(command, request).await?;
        reach(Point::JobRead);
        let job_id = keyed.unwrap_or_else(|| self.ids.mint(client_id));
        let replayed = match keyed {
            Some(_) => self.is_replayed(job_id, command, client_id, &sealed.fingerprint).await?,
            None => false,
        };
        let reply = if replayed { None } else { self.publish(&job, command, job_id, &sealed).await? };
        Ok(Taken { job_id, command, api_key: sealed.api_key, replayed, reply })
    }

    /// Whether a worker has the job with this idempotency key already. A key that was used for something else is refused, as far
    /// as the ledger knows or, before a worker has received the job, the cache of this process.
    async fn is_replayed(
        &self,
        job_id: JobId,
        command: &'static Entry,
        client: &ClientId,
        fingerprint: &Fingerprint,
    ) -> Result<bool, Problem> {
        let usage = Usage { command: command.message_type, fingerprint: fingerprint.clone() };
        match self.ledger.posted(job_id, client).await {
            Ok(Some(posted))
                if posted.message_type == usage.command && posted.fingerprint == fingerprint.as_str() =>
            {
                return Ok(true);
            }
            Ok(Some(_)) => return Err(Problem::KeyReused),
            Ok(None) => {}
            // To publish the job once more does no harm: its worker finds it in the ledger.
            Err(error) => {
                tracing::debug!(job.id = %job_id, "Whether a worker has the job can't be looked up: {error}");
            }
        }
        // As far as is known, no worker has it.
        match self.cache.claim(job_id, &usage) {
            Claim::Other => Err(Problem::KeyReused),
            Claim::First | Claim::Again => Ok(false),
        }
    }

    /// Publishes the job. Returns the pending reply of its worker if the client waits for one and replies can be received.
    async fn publish(
        &self,
        job: &Job<'_>,
        command: &'static Entry,
        job_id: JobId,
        sealed: &SealedBody,
    ) -> Result<Option<PendingReply>, Problem> {
        let (client, fingerprint) = (job.client.id.clone(), sealed.fingerprint.clone());
        let first = Envelope::of_job(job_id, client, command.message_type, command.version, fingerprint);
        let envelope = Envelope { trace: job.trace.clone(), ..first };
        let mut message = Outgoing::new(command.route(), &envelope, sealed.body.clone());
        let reply = if job.awaited { self.replies.expect_reply(job_id) } else { None };
        if let Some(reply) = &reply {
            message = message.with_reply_to(reply.address());
        }
        reach(Point::JobSending);
        match publish(&self.publisher, message).await {
            Ok(()) => {
                reach(Point::JobConfirmed);
                metrics::counter!("millrace_jobs_accepted_total", "command" => command.message_type)
                    .increment(1);
                tracing::debug!(job.id = %job_id, command = command.message_type, "Accepted a job");
                Ok(reply)
            }
            Err(source) => {
                if job.key.is_some() && !matches!(source, PublishError::Unknown(_)) {
                    self.cache.release(job_id);
                }
                Err(Problem::NotPublished { job_id, source })
            }
        }
    }
}

#[cfg(not(feature = "armed"))]
async fn publish(publisher: &Publisher, message: Outgoing) -> Result<(), PublishError> {
    publisher.publish([message].into()).await
}

/// The command of this name. Events and internal commands can't be posted.
fn command(catalog: &'static Catalog, name: &str) -> Result<&'static Entry, Problem> {
    catalog.commands().find(|entry| entry.message_type == name).ok_or_else(|| {
        let near = catalog
            .commands()
            .filter(|_| name.len() <= NAME_MAX_BYTES)
            .map(|entry| (strsim::damerau_levenshtein(entry.message_type, name), entry.message_type))
            .filter(|(distance, known)| *distance <= known.len() / 3);
        Problem::UnknownCommand { nearest: near.min().map(|(_, known)| known) }
    })
}
