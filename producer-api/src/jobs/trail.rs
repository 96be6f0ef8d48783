//! `GET /v1/jobs/{id}/trail`: every message of a job's flow, each right after the one that caused it, and as a tree.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use millrace_protocol::ledger::Status;
use millrace_protocol::{Catalog, JobId, MessageId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::client::Client;
use crate::flow::{self, Row, Step, Summary};
use crate::http::Correlation;
use crate::jobs::JobReader;
use crate::problem::Problem;

pub(crate) async fn show(
    State(reader): State<Arc<JobReader>>,
    Extension(client): Extension<Client>,
    Extension(correlation): Extension<Correlation>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let job = reader.job(path, &client, &correlation)?;
    let rows = reader.ledger.rows(job, &client.id).await?;
    Ok(Json(Trail::of(reader.catalog, job, &rows)).into_response())
}

/// Every message of a flow.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Trail<'a> {
    job_id: JobId,
    /// The state of all messages together.
    pub flow: Summary,
    /// One element for each message and handler, each after the message that caused it.
    pub messages: Vec<Message<'a>>,
    /// The same messages as a tree of causes.
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
    /// The domain that handles it; `null` if it is not known yet, and for events without subscribers.
    pub handler: Option<&'a str>,
    pub status: MessageStatus,
    /// How many times the handler has tried it.
    pub attempts: u32,
    /// The message that caused it; `null` for the job's own command.
    caused_by: Option<MessageId>,
    /// When the handler received it first; `null` while it is on its way.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    received_at: Option<OffsetDateTime>,
    /// When the handler decided it; `null` before.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub handled_at: Option<OffsetDateTime>,
    /// What the domain did, if it succeeded.
    result: Option<&'a Value>,
    /// Why the domain refused it, or why it failed: `type` and `detail`.
    problem: Option<&'a Value>,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum MessageStatus {
    Recorded(Status),
    Unrecorded(Unrecorded),
}

/// The status of a message that has no row.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unrecorded {
    /// On its way.
    Pending,
    /// An event that no domain subscribes to.
    Unsubscribed,
}

impl<'a> Trail<'a> {
    pub fn of(catalog: &Catalog, job: JobId, rows: &'a [Row]) -> Self {
        let steps = flow::steps(catalog, job, rows);
        let flow = Summary::of(&steps);
        let messages = steps.into_iter().map(|step| match step {
            Step::Recorded(row) => Message::recorded(row),
            Step::Pending { message_id, message_type, handler, caused_by } => {
                Message::unrecorded(message_id, message_type, handler, caused_by, Unrecorded::Pending)
            }
            Step::Unsubscribed { message_id, message_type, caused_by } => {
                Message::unrecorded(message_id, Some(message_type), None, caused_by, Unrecorded::Unsubscribed)
            }
        });
        let messages: Vec<_> = messages.collect();
        Self { job_id: job, flow, tree: tree(&messages), messages }
    }
}

/// The messages as a tree. A message whose cause is not among them, because the ledger was pruned, stands at the top.
fn tree(messages: &[Message<'_>]) -> Vec<Branch> {
    let mut open: Vec<Branch> = Vec::new();
    let mut whole = Vec::new();
    for message in messages {
        if open.last().is_some_and(|last| last.message_id == message.message_id) {
            // The same message at another handler.
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

/// Closes the last open branch: it goes below the branch before it, which caused it, or to the top.
fn close_last(open: &mut Vec<Branch>, whole: &mut Vec<Branch>) {
    if let Some(branch) = open.pop() {
        open.last_mut().map_or(whole, |cause| &mut cause.follow_ups).push(branch);
    }
}

impl<'a> Message<'a> {
    fn recorded(row: &'a Row) -> Self {
        Self {
            message_id: row.message_id,
            message_type: Some(&row.message_type),
            handler: Some(&row.handler),
            status: MessageStatus::Recorded(row.status),
            attempts: row.attempts,
            // On the wire, a job's own command is its own cause.
            caused_by: Some(row.causation_id).filter(|cause| *cause != row.message_id),
            received_at: Some(row.received_at),
            handled_at: Some(row.handled_at).filter(|_| row.status != Status::Retrying),
            result: row.result.as_ref(),
            problem: row.problem.as_ref(),
        }
    }

    fn unrecorded(
        message_id: MessageId,
        message_type: Option<&'a str>,
        handler: Option<&'a str>,
        caused_by: Option<MessageId>,
        status: Unrecorded,
    ) -> Self {
        Self {
            message_id,
            message_type,
            handler,
            status: MessageStatus::Unrecorded(status),
            attempts: 0,
            caused_by,
            received_at: None,
            handled_at: None,
            result: None,
            problem: None,
        }
    }
}
