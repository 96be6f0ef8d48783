//! `GET /v1/jobs/{id}/trail`: every message of a job's flow, each right after the one that caused it, and as a tree.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use millrace_contracts::ledger::Status;
use millrace_contracts::{JobId, MessageId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::flow::{self, Row, Step, Summary};
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
    let job = answers.named(path, &client, &correlation)?;
    let rows = answers.ledger.rows(job, &client.id).await?;
    Ok(Json(Trail::of(job, &rows)).into_response())
}

/// Every message of a flow.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Trail<'a> {
    job_id: JobId,
    /// Where the flow stands as a whole.
    pub flow: Summary,
    /// One for each message and handler, each right after the one that caused it.
    pub messages: Vec<Message<'a>>,
    /// What followed from what, by message ids.
    tree: Vec<Branch>,
}

/// A message, and the ones that followed from it.
#[derive(Debug, Serialize, JsonSchema)]
struct Branch {
    message_id: MessageId,
    #[serde(rename = "type")]
    message_type: Option<String>,
    follow_ups: Vec<Branch>,
}

/// One message at one handler.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Message<'a> {
    pub message_id: MessageId,
    #[serde(rename = "type")]
    message_type: Option<&'a str>,
    /// The domain. Not known for the command of a job that no worker has touched yet.
    pub handler: Option<&'a str>,
    pub status: MessageStatus,
    pub attempts: u32,
    caused_by: Option<MessageId>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    received_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub handled_at: Option<OffsetDateTime>,
    result: Option<&'a Value>,
    problem: Option<&'a Value>,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum MessageStatus {
    Noted(Status),
    Otherwise(Otherwise),
}

/// What no row tells.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Otherwise {
    /// On its way.
    Pending,
    /// An event that no domain listens to.
    Unheard,
}

impl<'a> Trail<'a> {
    pub fn of(job: JobId, rows: &'a [Row]) -> Self {
        let steps = flow::steps(job, rows);
        let flow = Summary::of(&steps);
        let messages = steps.into_iter().map(|step| match step {
            Step::Seen(row) => Message::noted(row),
            Step::Pending { message_id, message_type, handler, caused_by } => {
                Message::sent(message_id, message_type, handler, caused_by, Otherwise::Pending)
            }
            Step::Unheard { message_id, message_type, caused_by } => {
                Message::sent(message_id, Some(message_type), None, caused_by, Otherwise::Unheard)
            }
        });
        let messages: Vec<_> = messages.collect();
        Self { job_id: job, flow, tree: tree(&messages), messages }
    }
}

/// What followed from what. A message whose cause is not among them (the ledger forgets by the week) stands at the top.
fn tree(messages: &[Message<'_>]) -> Vec<Branch> {
    let mut open: Vec<Branch> = Vec::new();
    let mut whole = Vec::new();
    for message in messages {
        if open.last().is_some_and(|last| last.message_id == message.message_id) {
            // The same at another handler.
            continue;
        }
        while open.last().is_some_and(|last| Some(last.message_id) != message.caused_by) {
            close_last(&mut open, &mut whole);
        }
        open.push(Branch {
            message_id: message.message_id,
            message_type: message.message_type.map(str::to_owned),
            follow_ups: Vec::new(),
        });
    }
    while !open.is_empty() {
        close_last(&mut open, &mut whole);
    }
    whole
}

/// The last open branch is whole: it goes to the one before it, which caused it, or to the top.
fn close_last(open: &mut Vec<Branch>, whole: &mut Vec<Branch>) {
    if let Some(branch) = open.pop() {
        open.last_mut().map_or(whole, |cause| &mut cause.follow_ups).push(branch);
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
