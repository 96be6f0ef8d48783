//! `ops trail`: everything that the ledger knows of one job, as a tree of what caused what.

mod tree;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Args;
use millrace_contracts::ledger::Emitted;
use millrace_contracts::{JobId, catalog};
use millrace_service::Fatal;
use millrace_service::settings::DatabaseSettings;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::database;
use crate::run::say;

/// Everything that the ledger knows of one job, as a tree of what caused what
#[derive(Args)]
pub struct Trail {
    /// The job's id, as the door answered it
    job: Uuid,
    #[command(flatten)]
    database: DatabaseSettings,
}

/// What one handler made of one message.
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
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        let job = JobId(self.job);
        let handlers: Vec<_> = catalog().domains().iter().map(|domain| domain.as_str().to_owned()).collect();
        let (low, high) = job.first_message().flow_range();
        let mut connection = database::connect(&self.database).await?;
        let rows = sqlx::query_file_as!(Row, "src/trail/rows.sql", &handlers, low, high, job.0)
            .fetch_all(&mut connection)
            .await
            .map_err(database::failed("read the ledger"))?;
        if rows.is_empty() {
            return Err(Fatal::failed(format!(
                "The ledger has nothing of job {job}: no worker has touched it yet, it was pruned, or there never was \
                 such a job. A job that was accepted and not touched waits in its domain's queue"
            )));
        }
        say(tree::draw(job, &rows).trim_end());
        Ok(ExitCode::SUCCESS)
    }
}
