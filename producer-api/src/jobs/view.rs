//! `GET /v1/jobs/{id}`: a job's status, and the state of the flow of messages that follows from it.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use millrace_contracts::ApiKey;
use millrace_protocol::ledger::Status;
use millrace_protocol::{Catalog, JobId, Violation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::client::Client;
use crate::flow::{self, Row, State as FlowState, Summary};
use crate::http::Correlation;
use crate::job_id::minted_at;
use crate::jobs::{JobReader, own_row, query};
use crate::prefer::Wait;
use crate::problem::Problem;

/// Value of `Retry-After` while the flow is running.
const RETRY_AFTER_SECONDS: u16 = 1;

/// The parameters of the query.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewQuery {
    wait: Option<String>,
}

pub(crate) async fn show(
    State(reader): State<Arc<JobReader>>,
    Extension(client): Extension<Client>,
    Extension(correlation): Extension<Correlation>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<ViewQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = reader.job(path, &client, &correlation)?;
    let wait = wait(query, &headers)?;
    let decided = match wait {
        Some(wait) => reader.decided(job, &client.id, wait, None).await?,
        None => None,
    };
    let rows = match decided {
        Some(rows) => rows,
        None => reader.ledger.rows(job, &client.id).await?,
    };
    let view = View::of(reader.catalog, job, &rows);
    let running = view.flow.state == FlowState::Running;
    let mut response = Json(view).into_response();
    if running {
        response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    }
    if let Some(wait) = wait {
        response.headers_mut().insert("preference-applied", wait.applied());
    }
    Ok(response)
}

/// How long to wait: the query's parameter, or else the header `Prefer`.
fn wait(
    query: Result<Query<ViewQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<Option<Wait>, Problem> {
    let Query(query) = query.map_err(|rejected| query::unreadable(&rejected))?;
    let Some(text) = query.wait else { return Ok(Wait::of(headers)) };
    match text.parse() {
        Ok(seconds) => Ok(Wait::of_seconds(seconds)),
        Err(_) => {
            let expected = "expected a whole number of seconds, such as 5; more than 60 count as 60";
            Err(Problem::InvalidQuery(vec![Violation::at("/wait", expected)]))
        }
    }
}

/// A job's status and outcome.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct View<'a> {
    job_id: JobId,
    /// The command; `null` until a worker has received the job, as the id does not tell it.
    command: Option<&'a str>,
    status: JobStatus,
    /// How many times a worker has tried the job.
    attempts: u32,
    /// What the domain did, if it succeeded.
    result: Option<&'a Value>,
    /// Why the domain refused the job, or why it failed: `type` and `detail`.
    problem: Option<&'a Value>,
    /// When the API accepted the job. For a job with an idempotency key: when a worker received it, and `null` before.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    accepted_at: Option<OffsetDateTime>,
    /// When the job was decided; `null` before.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    handled_at: Option<OffsetDateTime>,
    /// The state of all messages that follow from the job.
    flow: Summary,
    /// The new API key, in the answer to a posted `auth.issue-api-key` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    api_key: Option<&'a ApiKey>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase", untagged)]
enum JobStatus {
    Unreceived(Unreceived),
    Recorded(Status),
}

/// The broker has the job, and no worker has received it yet.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unreceived {
    Accepted,
}

impl<'a> View<'a> {
    pub fn of(catalog: &Catalog, job: JobId, rows: &'a [Row]) -> Self {
        let own = own_row(job, rows);
        Self {
            job_id: job,
            command: own.map(|row| row.message_type.as_str()),
            status: own
                .map_or(JobStatus::Unreceived(Unreceived::Accepted), |row| JobStatus::Recorded(row.status)),
            attempts: own.map_or(0, |row| row.attempts),
            result: own.and_then(|row| row.result.as_ref()),
            problem: own.and_then(|row| row.problem.as_ref()),
            accepted_at: minted_at(job).or(own.map(|row| row.received_at)),
            handled_at: own.filter(|row| row.status != Status::Retrying).map(|row| row.handled_at),
            flow: Summary::of(&flow::steps(catalog, job, rows)),
            api_key: None,
        }
    }

    /// The same view with the API key that the job issues.
    pub fn showing(self, api_key: Option<&'a ApiKey>) -> Self {
        Self { api_key, ..self }
    }
}
