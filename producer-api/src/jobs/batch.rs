//! `POST /v1/jobs`: many jobs in one request, a line each (NDJSON), with a line of answer for each, in order.
//!
//! Both ways are streamed: so many lines are under way at once and no more is read, and when the client does not read its
//! answers, no more of its lines are read either. A line that is refused does not stop the others.

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
use millrace_contracts::{ApiKey, JobId, Trace, Violation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::idempotency::IdempotencyKey;
use crate::jobs::intake::{Intake, Job, Permitted, Taken};
use crate::jobs::post::{Links, must_be, trace};
use crate::keys::Client;
use crate::limits::Share;
use crate::problem::{Details, Problem};
use lines::{Line, lines};

const NDJSON: &str = "application/x-ndjson";
/// So many lines are under way at once.
const UNDER_WAY: usize = 256;
/// Lines wait for their turn to hash a password; the batch only gets slower.
const TURN: Duration = Duration::from_secs(600);

/// A line of a batch: a job.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Posted<'a> {
    /// Which command.
    #[serde(borrow)]
    command: Cow<'a, str>,
    /// What the command needs.
    #[serde(borrow)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    data: &'a RawValue,
    /// As the header `Idempotency-Key`, without the quotes: 1 to 255 visible ASCII characters.
    #[serde(borrow, default)]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[\x21-\x7e]+$"))]
    idempotency_key: Option<Cow<'a, str>>,
}

/// What became of a line.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Outcome<'a> {
    /// Which line, counted from 1.
    line: u64,
    /// What a request with this job alone would have been answered.
    status: u16,
    #[serde(flatten)]
    told: Told<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Told<'a> {
    /// The broker has the job.
    Accepted {
        job_id: JobId,
        command: &'static str,
        links: Links,
        /// A worker had it already.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[schemars(default)]
        replayed: bool,
        /// The new API key, for `auth.issue-api-key` alone. Nobody can look it up later.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        api_key: Option<&'a ApiKey>,
    },
    /// It was not taken in.
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
    must_be(&head.headers, NDJSON, Problem::NotDeclaredLines)?;
    must_have_no_key(&head.headers)?;
    let batch = Arc::new(Batch { client, share, trace: trace(&head.headers) });
    let (max_bytes, patience) = (intake.body_max_bytes, intake.body_deadline);
    let answers = lines(body, max_bytes, patience)
        .enumerate()
        .map(move |(index, line)| {
            let (intake, batch) = (Arc::clone(&intake), Arc::clone(&batch));
            async move { batch.answer(&intake, index as u64 + 1, line).await }
        })
        .buffered(UNDER_WAY)
        // What is ready together is sent together.
        .ready_chunks(UNDER_WAY)
        .map(|answers| Ok::<_, Infallible>(Bytes::from(answers.concat())));
    let kind = HeaderValue::from_static(NDJSON);
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(answers)).into_response())
}

fn must_have_no_key(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.contains_key("idempotency-key") {
        true => Err(Problem::KeyMalformed("A batch has none; give each line its own as idempotency_key.")),
        false => Ok(()),
    }
}

/// What the lines of a batch share.
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
            command: Permitted::of(&self.client, &posted.command)?,
            data: posted.data.get().as_bytes(),
            key: key.as_ref(),
            trace: self.trace.clone(),
            turn: TURN,
            awaited: false,
        };
        intake.take(job).await.map_err(|problem| problem.below("/data"))
    }
}

/// Of what is in the line only names of fields are told: a text that was found may be a secret in the wrong place.
fn not_a_job(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    // The line is known, and the column of a line that is all on one is no news to anybody.
    let text = text.split(" at line ").next().unwrap_or_default();
    let of_field = ["missing", "duplicate", "unknown"].iter().any(|what| text.starts_with(what));
    let told = match text.split_once(", expected ") {
        Some((found, _)) if of_field => found,
        _ if error.is_data() && !of_field => "this is no job, or a field of it is of another kind",
        _ => text,
    };
    let message =
        format!("{told}; a line is {{\"command\": \"…\", \"data\": {{…}}, \"idempotency_key\": \"…\"}}");
    let violation = vec![Violation::at("", message)];
    if error.is_data() { Problem::Invalid(violation) } else { Problem::NotJson(violation) }
}

fn accepted(line: u64, taken: &Taken) -> Vec<u8> {
    let told = Told::Accepted {
        job_id: taken.job_id,
        command: taken.command.message_type,
        links: Links::of(taken.job_id),
        replayed: taken.replayed,
        api_key: taken.api_key.as_ref(),
    };
    written(&Outcome { line, status: 202, told })
}

fn refused(line: u64, problem: &Problem) -> Vec<u8> {
    // Where it is not certain whether the job exists, its id is what leads to it.
    let correlation_id = problem.job_id().map_or_else(Uuid::now_v7, |JobId(id)| id);
    let problem = problem.noted(correlation_id);
    written(&Outcome { line, status: problem.status, told: Told::Refused { problem } })
}

fn written(outcome: &Outcome<'_>) -> Vec<u8> {
    serde_json::to_vec(outcome).expect("an outcome is plain data")
}
