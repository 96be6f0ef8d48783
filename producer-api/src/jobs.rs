//! The endpoints: [`post`] a job or a [`batch`] of them (through [`intake`]), [`view`] a job, its [`trail`] of messages or its
//! [`events`], and [`list`] a client's jobs.

pub(crate) mod accepted;
pub(crate) mod batch;
pub(crate) mod events;
mod headers;
pub(crate) mod intake;
pub(crate) mod list;
#[cfg(feature = "armed")]
mod mutants;
pub(crate) mod post;
mod query;
pub(crate) mod trail;
pub(crate) mod view;
pub(crate) mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use millrace_broker::PendingReply;
use millrace_protocol::ledger::Status;
use millrace_protocol::{Catalog, ClientId, JobId, MessageId};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::client::Client;
use crate::flow::Row;
use crate::http::Correlation;
use crate::job_id::JobIds;
use crate::ledger::Ledger;
use crate::prefer::Wait;
use crate::problem::Problem;
use watch::FlowWatcher;

/// How long a worker's reply is waited for alone, before the ledger is read as well.
const REPLY_GRACE: Duration = Duration::from_secs(1);

/// Looks jobs up for their clients.
#[derive(Debug)]
pub(crate) struct JobReader {
    pub catalog: &'static Catalog,
    pub ids: Arc<JobIds>,
    pub ledger: Ledger,
    pub watcher: FlowWatcher,
    /// Cancelled when the API stops, so that no request goes on waiting.
    pub stop: CancellationToken,
}

impl JobReader {
    /// The job whose id is in the path. A job of another client is an unknown job.
    fn job(
        &self,
        path: Result<Path<String>, PathRejection>,
        client: &Client,
        correlation: &Correlation,
    ) -> Result<JobId, Problem> {
        let Ok(Path(text)) = path else { return Err(Problem::UnknownJob) };
        let job = text.parse::<Uuid>().map(JobId).map_err(|_| Problem::UnknownJob)?;
        if !self.ids.is_ours(job, &client.id) {
            return Err(Problem::UnknownJob);
        }
        correlation.set_job(job);
        Ok(job)
    }

    /// The job's rows once its own command is decided; `None` if that takes longer than `wait`.
    ///
    /// A worker may have been asked to reply. If its reply is lost, the ledger has the outcome a second later.
    async fn decided(
        &self,
        job: JobId,
        client: &ClientId,
        wait: Wait,
        reply: Option<PendingReply>,
    ) -> Result<Option<Vec<Row>>, Problem> {
        let promised = reply.is_some();
        let grace = if promised { REPLY_GRACE } else { Duration::ZERO };
        let replied = async {
            let Some(reply) = reply else { return std::future::pending().await };
            match reply.body().await.and_then(|body| Row::of_reply(job, &body)) {
                Some(row) => Ok(Some(vec![row])),
                // The job was handled before, or the reply queue is gone: the ledger has the outcome.
                None => self.watcher.until(job, client, is_decided).await,
            }
        };
        let recorded = async {
            tokio::time::sleep(grace).await;
            match self.watcher.until(job, client, is_decided).await {
                // The reply may still come.
                Err(_) if promised => std::future::pending().await,
                rows => rows,
            }
        };
        tokio::select! {
            rows = replied => rows,
            rows = recorded => rows,
            () = tokio::time::sleep(wait.duration()) => Ok(None),
            () = self.stop.cancelled() => Ok(None),
        }
    }
}

/// The row of the job's own command.
fn own_row(job: JobId, rows: &[Row]) -> Option<&Row> {
    let own: MessageId = job.first_message();
    rows.iter().find(|row| row.message_id == own)
}

/// Whether the job's own command succeeded, was refused or was given up.
fn is_decided(job: JobId, rows: &[Row]) -> bool {
    own_row(job, rows).is_some_and(|row| row.status != Status::Retrying)
}
