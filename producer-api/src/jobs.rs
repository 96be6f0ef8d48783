//! The endpoints, and what they need: jobs in ([`post`]), how one stands ([`view`]), all of its messages ([`trail`]).

pub(crate) mod post;
pub(crate) mod trail;
pub(crate) mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use millrace_broker::Publisher;
use millrace_contracts::{JobId, MessageId};
use uuid::Uuid;

use crate::flow::Row;
use crate::http::Correlation;
use crate::job_id::JobIds;
use crate::keys::Client;
use crate::ledger::Ledger;
use crate::problem::Problem;
use crate::secrets::Secrets;

/// What taking a job in needs.
#[derive(Debug)]
pub(crate) struct Intake {
    pub ids: Arc<JobIds>,
    pub publisher: Publisher,
    pub secrets: Secrets,
    pub body_max_bytes: usize,
    pub body_deadline: Duration,
}

/// What telling of a job needs.
#[derive(Debug)]
pub(crate) struct Answers {
    pub ids: Arc<JobIds>,
    pub ledger: Ledger,
}

impl Answers {
    /// The job that the path names and what is noted of it; a job of another client is an unknown one.
    async fn job(
        &self,
        path: Result<Path<String>, PathRejection>,
        client: &Client,
        correlation: &Correlation,
    ) -> Result<(JobId, Vec<Row>), Problem> {
        let Ok(Path(text)) = path else { return Err(Problem::UnknownJob) };
        let job = text.parse::<Uuid>().map(JobId).map_err(|_| Problem::UnknownJob)?;
        if !self.ids.is_ours(job, &client.id) {
            return Err(Problem::UnknownJob);
        }
        correlation.is(job);
        Ok((job, self.ledger.rows(job, &client.id).await?))
    }
}

/// The row of the job's own command.
fn own_row(job: JobId, rows: &[Row]) -> Option<&Row> {
    let own: MessageId = job.first_message();
    rows.iter().find(|row| row.message_id == own)
}
