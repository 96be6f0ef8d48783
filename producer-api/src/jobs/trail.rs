//! `GET /v1/jobs/{id}/trail`: every message of a job's flow, each right after the one that caused it.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use millrace_contracts::{JobId, MessageId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::flow::{self, Row, Status, Step};
use crate::http::Correlation;
use crate::jobs::Answers;
use crate::keys::Client;
use crate::problem::Problem;

pub(crate) async fn show(
    State(answers): State<Arc<Answers>>,
    Extension(client): Extension<Client>,
    Extension(correlation): Extension<Correlation>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let (job, rows) = answers.job(path, &client, &correlation).await?;
    Ok(Json(Trail::of(job, &rows)).into_response())
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Trail<'a> {
    job_id: JobId,
    messages: Vec<Message<'a>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Message<'a> {
    message_id: MessageId,
    #[serde(rename = "type")]
    message_type: Option<&'a str>,
    handler: Option<&'a str>,
    status: MessageStatus,
    attempts: u32,
    caused_by: Option<MessageId>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    received_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    handled_at: Option<OffsetDateTime>,
    result: Option<&'a Value>,
    problem: Option<&'a Value>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum MessageStatus {
    Noted(Status),
    Otherwise(Otherwise),
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Otherwise {
    /// On its way.
    Pending,
    /// An event that no domain listens to.
    Unheard,
}

impl<'a> Trail<'a> {
    pub fn of(job: JobId, rows: &'a [Row]) -> Self {
        let messages = flow::steps(job, rows).into_iter().map(|step| match step {
            Step::Seen(row) => Message::noted(row),
            Step::Pending { message_id, message_type, handler, caused_by } => {
                Message::sent(message_id, message_type, handler, caused_by, Otherwise::Pending)
            }
            Step::Unheard { message_id, message_type, caused_by } => {
                Message::sent(message_id, Some(message_type), None, caused_by, Otherwise::Unheard)
            }
        });
        Self { job_id: job, messages: messages.collect() }
    }
}

impl<'a> Message<'a> {
    fn noted(row: &'a Row) -> Self {
        Self {
            message_id: row.message_id,
            message_type: Some(&row.message_type),
            handler: Some(&row.handler),
            status: MessageStatus::Noted(row.status),
            attempts: row.attempts,
            // A job's first message is its own cause on the wire; for a reader it has none.
            caused_by: Some(row.causation_id).filter(|cause| *cause != row.message_id),
            received_at: Some(row.received_at),
            handled_at: Some(row.handled_at).filter(|_| row.status != Status::Retrying),
            result: row.result.as_ref(),
            problem: row.problem.as_ref(),
        }
    }

    fn sent(
        message_id: MessageId,
        message_type: Option<&'a str>,
        handler: Option<&'a str>,
        caused_by: Option<MessageId>,
        status: Otherwise,
    ) -> Self {
        Self {
            message_id,
            message_type,
            handler,
            status: MessageStatus::Otherwise(status),
            attempts: 0,
            caused_by,
            received_at: None,
            handled_at: None,
            result: None,
            problem: None,
        }
    }
}
