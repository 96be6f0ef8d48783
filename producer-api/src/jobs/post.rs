//! `POST /v1/jobs/{command}`: checks a job, hands it to the broker, and answers 202 once the broker has it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::StreamExt;
use millrace_broker::{Outgoing, PublishError, Publisher};
use millrace_contracts::catalog::{self, Entry};
use millrace_contracts::{ClientId, Envelope, Fingerprint, JobId, Kind, Trace};
use millrace_faults::{Mutant, Point, mutated, reach};
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::Correlation;
use crate::jobs::Intake;
use crate::keys::Client;
use crate::problem::Problem;
use crate::secrets::NewKey;

/// Longer names are no misspelt commands, and comparing them would cost time.
const NAME_MAX_BYTES: usize = 64;
/// How much of a body that is too large is still read, so that the client gets to read its answer.
const LINGER_BYTES: usize = 4 * 1024 * 1024;

pub(crate) async fn accept(
    State(intake): State<Arc<Intake>>,
    Extension(client): Extension<Client>,
    Extension(correlation): Extension<Correlation>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let command = command(path.as_ref().map_or("", |path| path.as_str()))?;
    let (head, body) = request.into_parts();
    must_be_json(&head.headers)?;
    let body = intake.read(body).await?;
    let wire = intake.secrets.keep_out(command, &body).await?;
    reach(Point::JobRead);

    let job_id = intake.ids.mint(&client.id);
    let envelope = envelope(command, job_id, client.id, &wire.body, trace(&head.headers));
    let message = Outgoing::new(command.exchange(), &envelope, wire.body);
    reach(Point::JobSending);
    match publish(&intake.publisher, message).await {
        Ok(()) => {
            reach(Point::JobConfirmed);
            correlation.is(job_id);
            metrics::counter!("millrace_jobs_accepted_total", "command" => command.message_type).increment(1);
            tracing::debug!(job.id = %job_id, command = command.message_type, "Accepted a job");
            let answer = accepted(job_id, command, wire.key);
            reach(Point::JobAnswered);
            Ok(answer)
        }
        Err(source) => {
            // A job that was certainly not queued does not exist, so its id must not be given out.
            if matches!(source, PublishError::Unknown(_)) {
                correlation.is(job_id);
            }
            Err(Problem::NotPublished { job_id, source })
        }
    }
}

async fn publish(publisher: &Publisher, message: Outgoing) -> Result<(), PublishError> {
    if mutated(Mutant::AcceptedBeforeConfirm) {
        let publisher = publisher.clone();
        tokio::spawn(async move { publisher.publish(vec![message]).await });
        return Ok(());
    }
    publisher.publish(vec![message]).await
}

/// The command of this name. Events, and what a domain says to itself, are not for upstream systems.
fn command(name: &str) -> Result<&'static Entry, Problem> {
    let commands = || catalog::all().iter().filter(|entry| entry.kind == Kind::Command);
    commands().find(|entry| entry.message_type == name).ok_or_else(|| {
        let near = commands()
            .filter(|_| name.len() <= NAME_MAX_BYTES)
            .map(|entry| (strsim::damerau_levenshtein(entry.message_type, name), entry.message_type))
            .filter(|(distance, known)| *distance <= known.len() / 3);
        Problem::UnknownCommand { nearest: near.min().map(|(_, known)| known) }
    })
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_ascii_lowercase);
    let kind = text(CONTENT_TYPE).ok_or(Problem::NotDeclaredJson)?;
    let mut parts = kind.split(';').map(str::trim);
    let json = parts.next() == Some("application/json");
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some(("charset", charset)) => charset.trim_matches('"') == "utf-8",
        _ => true,
    });
    let plain = text(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    if json && utf8 && plain { Ok(()) } else { Err(Problem::NotDeclaredJson) }
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

fn envelope(command: &Entry, job_id: JobId, client_id: ClientId, body: &[u8], trace: Trace) -> Envelope {
    Envelope {
        message_id: job_id.first_message(),
        job_id,
        causation_id: job_id.first_message(),
        client_id,
        message_type: command.message_type.to_owned(),
        version: command.version,
        attempt: 1,
        fingerprint: Fingerprint::of(body),
        trace,
    }
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

#[derive(Serialize, JsonSchema)]
pub(crate) struct Accepted {
    job_id: JobId,
    command: &'static str,
    status: &'static str,
    links: Links,
    /// Shown this once; nobody can look it up later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    api_key: Option<NewKey>,
}

#[derive(Serialize, JsonSchema)]
struct Links {
    #[serde(rename = "self")]
    job: String,
    trail: String,
}

fn accepted(job_id: JobId, command: &'static Entry, api_key: Option<NewKey>) -> Response {
    let job = format!("/v1/jobs/{job_id}");
    let links = Links { trail: format!("{job}/trail"), job: job.clone() };
    let body = Accepted { job_id, command: command.message_type, status: "accepted", links, api_key };
    (StatusCode::ACCEPTED, [(LOCATION, job)], Json(body)).into_response()
}
