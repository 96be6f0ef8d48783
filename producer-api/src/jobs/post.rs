//! `POST /v1/jobs/{command}`: takes one job in, and answers 202 once the broker has it, or with its outcome if that is
//! waited for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::StreamExt;
use millrace_broker::PublishError;
use millrace_contracts::{ApiKey, JobId, Trace};
use millrace_faults::{Point, reach};
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::Correlation;
use crate::idempotency::IdempotencyKey;
use crate::jobs::Answers;
use crate::jobs::intake::{Intake, Job, Permitted, Taken};
use crate::jobs::view::View;
use crate::keys::Client;
use crate::prefer::Wait;
use crate::problem::Problem;
use crate::secrets::TURN_DEADLINE;

/// How much of a body that is too large is still read, so that the client gets to read its answer.
const LINGER_BYTES: usize = 4 * 1024 * 1024;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(crate) async fn accept(
    State(intake): State<Arc<Intake>>,
    State(answers): State<Arc<Answers>>,
    Extension(client): Extension<Client>,
    Extension(correlation): Extension<Correlation>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let command = Permitted::of(&client, path.as_ref().map_or("", |path| path.as_str()))?;
    let (head, body) = request.into_parts();
    must_be(&head.headers, "application/json", Problem::NotDeclaredJson)?;
    let (key, wait) = (IdempotencyKey::of(&head.headers)?, Wait::of(&head.headers));
    let data = intake.read(body).await?;
    let taken = intake
        .take(Job {
            client: &client,
            command,
            data: &data,
            key: key.as_ref(),
            trace: trace(&head.headers),
            turn: TURN_DEADLINE,
            awaited: wait.is_some(),
        })
        .await
        .inspect_err(|problem| {
            // A job that was certainly not queued does not exist, so its id must not be given out.
            if let Problem::NotPublished { job_id, source: PublishError::Unknown(_) } = problem {
                correlation.is(*job_id);
            }
        })?;
    correlation.is(taken.job_id);
    let response = answer(&answers, &client, wait, taken).await;
    reach(Point::JobAnswered);
    Ok(response)
}

/// With the outcome if it is waited for and comes in time. The job is taken in: trouble with looking it up changes nothing
/// about that.
async fn answer(answers: &Answers, client: &Client, wait: Option<Wait>, taken: Taken) -> Response {
    let Taken { job_id, command, api_key, replayed, answer } = taken;
    let decided = match wait {
        Some(wait) => answers.decided(job_id, &client.id, wait, answer).await.ok().flatten(),
        None => None,
    };
    let mut response = match (&decided, wait) {
        (Some(rows), Some(wait)) => {
            let view = View::of(job_id, rows).showing(api_key.as_ref());
            ([(PREFERENCE_APPLIED, wait.applied())], Json(view)).into_response()
        }
        _ => {
            let accepted = Accepted::of(job_id, command.message_type, api_key);
            (StatusCode::ACCEPTED, [(LOCATION, accepted.links.job.clone())], Json(accepted)).into_response()
        }
    };
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// The body is declared as this media type, in UTF-8 and not compressed.
pub(super) fn must_be(headers: &HeaderMap, wanted: &str, otherwise: Problem) -> Result<(), Problem> {
    if is(headers, wanted) { Ok(()) } else { Err(otherwise) }
}

fn is(headers: &HeaderMap, wanted: &str) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_ascii_lowercase);
    let Some(kind) = text(CONTENT_TYPE) else { return false };
    let mut parts = kind.split(';').map(str::trim);
    let named = parts.next() == Some(wanted);
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some(("charset", charset)) => charset.trim_matches('"') == "utf-8",
        _ => true,
    });
    named && utf8 && text(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity")
}

impl Intake {
    async fn read(&self, body: Body) -> Result<Vec<u8>, Problem> {
        let read = collect(body, self.body_max_bytes);
        tokio::time::timeout(self.body_deadline, read)
            .await
            .unwrap_or_else(|_| Err(Problem::TooSlow { deadline_ms: self.body_deadline.as_millis() }))
    }
}

async fn collect(body: Body, max_bytes: usize) -> Result<Vec<u8>, Problem> {
    let (mut chunks, mut bytes, mut arrived) = (body.into_data_stream(), Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::BrokenOff)?;
        arrived += chunk.len();
        if arrived <= max_bytes {
            bytes.extend_from_slice(&chunk);
        } else if arrived > LINGER_BYTES {
            break;
        }
    }
    if arrived <= max_bytes { Ok(bytes) } else { Err(Problem::TooLarge { max_bytes }) }
}

/// The caller's trace, or the beginning of a new one.
pub(super) fn trace(headers: &HeaderMap) -> Trace {
    let mut parents = headers.get_all("traceparent").iter().filter_map(|value| value.to_str().ok());
    // W3C Trace Context §3.2: more than one is as good as none. Several tracestates are one list (§3.3.1).
    let (parent, more) = (parents.next(), parents.next());
    let states: Vec<&str> =
        headers.get_all("tracestate").iter().filter_map(|value| value.to_str().ok()).collect();
    let state = (!states.is_empty()).then(|| states.join(","));
    let given = Trace::accept(parent.filter(|_| more.is_none()), state.as_deref());
    if given.traceparent.is_some() {
        return given;
    }
    let (trace, span) = (random_hex::<16>(), random_hex::<8>());
    Trace { traceparent: Some(format!("00-{trace}-{span}-01")), tracestate: None }
}

fn random_hex<const BYTES: usize>() -> String {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).expect("the kernel always gives random bytes once it has booted");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The broker has the job.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Accepted {
    job_id: JobId,
    command: &'static str,
    /// Always `accepted`.
    status: &'static str,
    links: Links,
    /// The new API key, for `auth.issue-api-key` alone. Nobody can look it up later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    api_key: Option<ApiKey>,
}

/// Where to learn what becomes of the job.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Links {
    /// How it stands.
    #[serde(rename = "self")]
    job: String,
    /// Every message of its flow.
    trail: String,
    /// The same as it happens, as server-sent events.
    events: String,
    /// The same for people, in a browser.
    page: String,
}

impl Accepted {
    pub fn of(job_id: JobId, command: &'static str, api_key: Option<ApiKey>) -> Self {
        Self { job_id, command, status: "accepted", links: Links::of(job_id), api_key }
    }
}

impl Links {
    pub fn of(job_id: JobId) -> Self {
        let job = format!("/v1/jobs/{job_id}");
        Self {
            trail: format!("{job}/trail"),
            events: format!("{job}/events"),
            page: format!("/jobs/{job_id}"),
            job,
        }
    }
}
