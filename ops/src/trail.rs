//! `ops trail`: all messages of a job with their states, as a tree of causes and follow-ups.

mod tree;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Args;
use millrace_protocol::ledger::Emitted;
use millrace_protocol::{Catalog, JobId};
use millrace_service::Fatal;
use millrace_service::settings::DatabaseSettings;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::database;
use crate::program::say;

/// Shows all messages of a job with their states, as a tree of causes and follow-ups
#[derive(Args)]
pub struct Trail {
    /// The job's id, as the API returned it
    job: Uuid,
    #[command(flatten)]
    database: DatabaseSettings,
}

/// A row of the ledger: one message at one handler.
#[derive(Debug, Clone)]
struct Row {
    handler: String,
    message_id: Uuid,
    client_id: String,
    r#type: String,
    status: String,
    attempts: i32,
    problem: Option<String>,
    emitted: Option<Json<Vec<Emitted>>>,
    received_at: OffsetDateTime,
    handled_at: OffsetDateTime,
}

impl Trail {
    pub async fn run(self, catalog: &Catalog) -> Result<ExitCode, Fatal> {
        let job = JobId(self.job);
        let handlers: Vec<_> = catalog.domains().iter().map(|domain| domain.as_str().to_owned()).collect();
        let (low, high) = job.first_message().flow_range();
        let mut connection = database::connect(&self.database).await?;
        let rows = sqlx::query_file_as!(Row, "src/trail/rows.sql", &handlers, low, high, job.0)
            .fetch_all(&mut connection)
            .await
            .map_err(database::failed("read the ledger"))?;
        if rows.is_empty() {
            return Err(Fatal::failed(format!(
                "The ledger has no row of job {job}: no worker has processed it yet, its rows were pruned, or there \
                 is no such job. An accepted job that no worker has processed waits in its domain's queue"
            )));
        }
        say(tree::draw(catalog, job, &rows).trim_end());
        Ok(ExitCode::SUCCESS)
    }
}
