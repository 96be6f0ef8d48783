//! `GET /v1/jobs/{id}`: how a job stands, and the flow of messages that follows from it.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use millrace_contracts::JobId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::flow::{self, Row, State as FlowState, Status, Summary};
use crate::http::Correlation;
use crate::job_id::minted_at;
use crate::jobs::{Answers, own_row};
use crate::keys::Client;
use crate::problem::Problem;

/// Seconds after which a flow that still moves is worth another look.
const LOOK_AGAIN_SECONDS: u16 = 1;

pub(crate) async fn show(
    State(answers): State<Arc<Answers>>,
    Extension(client): Extension<Client>,
    Extension(correlation): Extension<Correlation>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let (job, rows) = answers.job(path, &client, &correlation).await?;
    let view = View::of(job, &rows);
    let running = view.flow.state == FlowState::Running;
    let mut response = Json(view).into_response();
    if running {
        response.headers_mut().insert(RETRY_AFTER, LOOK_AGAIN_SECONDS.into());
    }
    Ok(response)
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct View<'a> {
    job_id: JobId,
    /// Not known before a worker has touched the job: an id does not tell it.
    command: Option<&'a str>,
    status: JobStatus,
    attempts: u32,
    result: Option<&'a Value>,
    problem: Option<&'a Value>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    accepted_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    handled_at: Option<OffsetDateTime>,
    flow: Summary,
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
            accepted_at: minted_at(job),
            handled_at: own.filter(|row| row.status != Status::Retrying).map(|row| row.handled_at),
            flow: Summary::of(&flow::steps(job, rows)),
        }
    }
}
