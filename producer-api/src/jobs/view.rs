//! `GET /v1/jobs/{id}`: how a job stands, and the flow of messages that follows from it.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use millrace_contracts::ledger::Status;
use millrace_contracts::{ApiKey, JobId, Violation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::flow::{self, Row, State as FlowState, Summary};
use crate::http::Correlation;
use crate::job_id::minted_at;
use crate::jobs::{Answers, own_row};
use crate::keys::Client;
use crate::prefer::Wait;
use crate::problem::Problem;

/// Seconds after which a flow that still moves is worth another look.
const LOOK_AGAIN_SECONDS: u16 = 1;

/// What a look at a job may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    wait: Option<String>,
}

pub(crate) async fn show(
    State(answers): State<Arc<Answers>>,
    Extension(client): Extension<Client>,
    Extension(correlation): Extension<Correlation>,
    path: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = answers.named(path, &client, &correlation)?;
    let wait = wait(asked, &headers)?;
    let decided = match wait {
        Some(wait) => answers.decided(job, &client.id, wait, None).await?,
        None => None,
    };
    let rows = match decided {
        Some(rows) => rows,
        None => answers.ledger.rows(job, &client.id).await?,
    };
    let view = View::of(job, &rows);
    let running = view.flow.state == FlowState::Running;
    let mut response = Json(view).into_response();
    if running {
        response.headers_mut().insert(RETRY_AFTER, LOOK_AGAIN_SECONDS.into());
    }
    if let Some(wait) = wait {
        response.headers_mut().insert("preference-applied", wait.applied());
    }
    Ok(response)
}

/// As the query asks, or the header prefers.
fn wait(asked: Result<Query<Asked>, QueryRejection>, headers: &HeaderMap) -> Result<Option<Wait>, Problem> {
    let Query(asked) = asked.map_err(|refused| Problem::InvalidQuery(vec![not_understood(&refused)]))?;
    let Some(text) = asked.wait else { return Ok(Wait::of(headers)) };
    match text.parse() {
        Ok(seconds) => Ok(Wait::of_seconds(seconds)),
        Err(_) => {
            let expected = "wait is a whole number of seconds, such as 5; more than 60 are taken as 60";
            Err(Problem::InvalidQuery(vec![Violation::at("/wait", expected)]))
        }
    }
}

/// What is wrong with a query as a whole, such as a parameter that is not known.
pub(super) fn not_understood(refused: &QueryRejection) -> Violation {
    let text = refused.body_text();
    let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
    Violation::at("", text)
}

/// How a job stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct View<'a> {
    job_id: JobId,
    /// Not known before a worker has touched the job: an id does not tell it.
    command: Option<&'a str>,
    status: JobStatus,
    /// How often it was tried.
    attempts: u32,
    /// What the domain says of what it did.
    result: Option<&'a Value>,
    /// Why the domain did not do it, or what went wrong: `type` and `detail`.
    problem: Option<&'a Value>,
    /// Not known before a worker has touched the job, if the client has named it.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    accepted_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    handled_at: Option<OffsetDateTime>,
    flow: Summary,
    /// The new API key, for a posted `auth.issue-api-key` alone. Nobody can look it up later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    api_key: Option<&'a ApiKey>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase", untagged)]
enum JobStatus {
    Untouched(Untouched),
    Noted(Status),
}

/// The broker has the job, and no worker has touched it yet.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Untouched {
    Accepted,
}

impl<'a> View<'a> {
    pub fn of(job: JobId, rows: &'a [Row]) -> Self {
        let own = own_row(job, rows);
        Self {
            job_id: job,
            command: own.map(|row| row.message_type.as_str()),
            status: own.map_or(JobStatus::Untouched(Untouched::Accepted), |row| JobStatus::Noted(row.status)),
            attempts: own.map_or(0, |row| row.attempts),
            result: own.and_then(|row| row.result.as_ref()),
            problem: own.and_then(|row| row.problem.as_ref()),
            accepted_at: minted_at(job).or(own.map(|row| row.received_at)),
            handled_at: own.filter(|row| row.status != Status::Retrying).map(|row| row.handled_at),
            flow: Summary::of(&flow::steps(job, rows)),
            api_key: None,
        }
    }

    /// With the key that the job issues.
    pub fn showing(self, api_key: Option<&'a ApiKey>) -> Self {
        Self { api_key, ..self }
    }
}
