//! The endpoints, and what they need: jobs in ([`intake`], by [`post`] or [`batch`]), how one stands ([`view`]), all of its
//! messages ([`trail`]), as they happen ([`events`]), and a client's jobs ([`list`]).

pub(crate) mod batch;
pub(crate) mod events;
pub(crate) mod intake;
pub(crate) mod list;
pub(crate) mod post;
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
use millrace_contracts::ledger::Status;
use millrace_contracts::{ClientId, JobId, MessageId};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::flow::Row;
use crate::http::Correlation;
use crate::job_id::JobIds;
use crate::keys::Client;
use crate::ledger::Ledger;
use crate::prefer::Wait;
use crate::problem::Problem;
use watch::Watch;

/// An answer that a worker has promised is waited for this long before the ledger is asked, too.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// What telling of a job needs.
#[derive(Debug)]
pub(crate) struct Answers {
    pub ids: Arc<JobIds>,
    pub ledger: Ledger,
    pub watch: Watch,
    /// The door closes: nobody is kept waiting any more.
    pub stop: CancellationToken,
}

impl Answers {
    /// The job that the path names; a job of another client is an unknown one.
    fn named(
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
        correlation.is(job);
        Ok(job)
    }

    /// What is noted of a job once its own command is decided; `None` if that takes longer than it is waited for.
    ///
    /// A worker may have been asked to answer by itself; the ledger tells all the same, only later.
    async fn decided(
        &self,
        job: JobId,
        client: &ClientId,
        wait: Wait,
        answer: Option<PendingReply>,
    ) -> Result<Option<Vec<Row>>, Problem> {
        let promised = answer.is_some();
        let grace = if promised { ANSWER_GRACE } else { Duration::ZERO };
        let told = async {
            let Some(answer) = answer else { return std::future::pending().await };
            match answer.body().await.and_then(|body| Row::answered(job, &body)) {
                Some(row) => Ok(Some(vec![row])),
                // Handled before, or the way of answers broke: the ledger knows.
                None => self.watch.until(job, client, is_decided).await,
            }
        };
        let noted = async {
            tokio::time::sleep(grace).await;
            match self.watch.until(job, client, is_decided).await {
                // A worker may answer all the same.
                Err(_) if promised => std::future::pending().await,
                rows => rows,
            }
        };
        tokio::select! {
            rows = told => rows,
            rows = noted => rows,
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

/// Whether the job's own command has come to an end.
fn is_decided(job: JobId, rows: &[Row]) -> bool {
    own_row(job, rows).is_some_and(|row| row.status != Status::Retrying)
}
