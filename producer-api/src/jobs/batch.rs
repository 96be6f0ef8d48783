//! `POST /v1/jobs`: many jobs in one request, one on each line (NDJSON), and one line of answer for each, in order.
//!
//! Request and answer are streamed. While a bounded number of lines is in flight, or the client does not read its answers, no
//! further line is read. A line that is refused does not stop the others.

mod lines;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use millrace_contracts::ApiKey;
use millrace_protocol::{JobId, Trace, Violation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::client::Client;
use crate::idempotency::IdempotencyKey;
use crate::jobs::accepted::Links;
use crate::jobs::headers::{declare, trace};
use crate::jobs::intake::{Intake, Job, Taken};
use crate::limits::Share;
use crate::problem::{Details, Problem};
use lines::{Line, lines};

const NDJSON: &str = "application/x-ndjson";
/// How many lines are in flight at once.
const IN_FLIGHT: usize = 256;
/// How long a line waits for a free password hasher: the batch only gets slower.
const HASHER_DEADLINE: Duration = Duration::from_secs(600);

/// A line of a batch: a job.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Posted<'a> {
    /// The command, such as `orders.place`.
    #[serde(borrow)]
    command: Cow<'a, str>,
    /// The command's data, as it would be posted alone.
    #[serde(borrow)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    data: &'a RawValue,
    /// The job's idempotency key, without quotes: 1 to 255 visible ASCII characters.
    #[serde(borrow, default)]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[\x21-\x7e]+$"))]
    idempotency_key: Option<Cow<'a, str>>,
}

/// What became of a line.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Outcome<'a> {
    /// The line's number, counted from 1.
    line: u64,
    /// The status that a request with this job alone would have been answered with.
    status: u16,
    #[serde(flatten)]
    answer: LineAnswer<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum LineAnswer<'a> {
    /// The broker has the job.
    Accepted {
        job_id: JobId,
        command: &'static str,
        links: Links,
        /// Whether a worker had the job already.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[schemars(default)]
        replayed: bool,
        /// The new API key, for `auth.issue-api-key` alone. It is shown only here.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        api_key: Option<&'a ApiKey>,
    },
    /// The job was not accepted.
    Refused {
        /// Why not.
        problem: Details<'a>,
    },
}

pub(crate) async fn accept(
    State(intake): State<Arc<Intake>>,
    Extension(client): Extension<Client>,
    Extension(share): Extension<Arc<Share>>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    if !declare(&head.headers, NDJSON) {
        return Err(Problem::NotDeclaredLines);
    }
    must_have_no_key(&head.headers)?;
    let batch = Arc::new(Batch { client, share, trace: trace(&head.headers) });
    let (max_bytes, deadline) = (intake.body_max_bytes, intake.body_deadline);
    let answers = lines(body, max_bytes, deadline)
        .enumerate()
        .map(move |(index, line)| {
            let (intake, batch) = (Arc::clone(&intake), Arc::clone(&batch));
            async move { batch.answer(&intake, index as u64 + 1, line).await }
        })
        .buffered(IN_FLIGHT)
        // Answers that are ready together are sent together.
        .ready_chunks(IN_FLIGHT)
        .map(|answers| Ok::<_, Infallible>(Bytes::from(answers.concat())));
    let kind = HeaderValue::from_static(NDJSON);
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(answers)).into_response())
}

fn must_have_no_key(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.contains_key("idempotency-key") {
        true => Err(Problem::KeyMalformed("A batch has none: give each line its own idempotency_key.")),
        false => Ok(()),
    }
}

/// What the lines of a batch have in common.
struct Batch {
    client: Client,
    share: Arc<Share>,
    trace: Trace,
}

impl Batch {
    async fn answer(&self, intake: &Intake, number: u64, line: Line) -> Vec<u8> {
        let taken = match line {
            Line::Whole(text) => {
                self.share.take_one().await;
                self.take(intake, &text).await
            }
            Line::TooLong { max_bytes } => Err(Problem::TooLarge { max_bytes }),
            Line::TooSlow { deadline_ms } => Err(Problem::TooSlow { deadline_ms }),
            Line::BrokenOff => Err(Problem::BrokenOff),
        };
        let mut answer = match &taken {
            Ok(taken) => accepted(number, taken),
            Err(problem) => refused(number, problem),
        };
        answer.push(b'\n');
        answer
    }

    async fn take(&self, intake: &Intake, text: &[u8]) -> Result<Taken, Problem> {
        let posted: Posted<'_> = serde_json::from_slice(text).map_err(|error| not_a_job(&error))?;
        let key = posted.idempotency_key.as_deref().map(IdempotencyKey::parse).transpose()?;
        let job = Job {
            client: &self.client,
            command: intake.permit(&self.client, &posted.command)?,
            data: posted.data.get().as_bytes(),
            key: key.as_ref(),
            trace: self.trace.clone(),
            hasher_deadline: HASHER_DEADLINE,
            awaited: false,
        };
        intake.take(job).await.map_err(|problem| problem.below("/data"))
    }
}

/// A line that is no job. The answer repeats names of fields only: a value may be a secret in the wrong place.
fn not_a_job(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    // The answer has the line's number, and the column helps nobody.
    let text = text.split(" at line ").next().unwrap_or_default();
    let of_field = ["missing", "duplicate", "unknown"].iter().any(|what| text.starts_with(what));
    let wrong = match text.split_once(", expected ") {
        Some((found, _)) if of_field => found,
        _ if error.is_data() && !of_field => "this is no job, or a field has the wrong type",
        _ => text,
    };
    let message =
        format!("{wrong}; a line is {{\"command\": \"…\", \"data\": {{…}}, \"idempotency_key\": \"…\"}}");
    let violation = vec![Violation::at("", message)];
    if error.is_data() { Problem::Invalid(violation) } else { Problem::NotJson(violation) }
}

fn accepted(line: u64, taken: &Taken) -> Vec<u8> {
    let answer = LineAnswer::Accepted {
        job_id: taken.job_id,
        command: taken.command.message_type,
        links: Links::of(taken.job_id),
        replayed: taken.replayed,
        api_key: taken.api_key.as_ref(),
    };
    written(&Outcome { line, status: 202, answer })
}

fn refused(line: u64, problem: &Problem) -> Vec<u8> {
    // If it is not certain whether the job exists, its id leads to it.
    let correlation_id = problem.job_id().map_or_else(Uuid::now_v7, |JobId(id)| id);
    let problem = problem.of_line(correlation_id);
    written(&Outcome { line, status: problem.status, answer: LineAnswer::Refused { problem } })
}

fn written(outcome: &Outcome<'_>) -> Vec<u8> {
    serde_json::to_vec(outcome).expect("an outcome is plain data")
}
