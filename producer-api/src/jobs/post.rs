//! `POST /v1/jobs/{command}`: accepts one job, and answers 202 once the broker has confirmed it, or 200 with its outcome if
//! the client waits for it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::StreamExt;
use millrace_broker::PublishError;
use millrace_faults::{Point, reach};

use crate::client::Client;
use crate::http::Correlation;
use crate::idempotency::IdempotencyKey;
use crate::jobs::JobReader;
use crate::jobs::accepted::Accepted;
use crate::jobs::headers::{declare, trace};
use crate::jobs::intake::{Intake, Job, Taken};
use crate::jobs::view::View;
use crate::prefer::Wait;
use crate::problem::Problem;
use crate::secrets::HASHER_DEADLINE;

/// How much of a body that is too large is still read. A client that is cut off while it sends does not read its answer.
const LINGER_BYTES: usize = 4 * 1024 * 1024;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(crate) async fn accept(
    State(intake): State<Arc<Intake>>,
    State(reader): State<Arc<JobReader>>,
    Extension(client): Extension<Client>,
    Extension(correlation): Extension<Correlation>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let command = intake.permit(&client, path.as_ref().map_or("", |path| path.as_str()))?;
    let (head, body) = request.into_parts();
    if !declare(&head.headers, "application/json") {
        return Err(Problem::NotDeclaredJson);
    }
    let (key, wait) = (IdempotencyKey::of(&head.headers)?, Wait::of(&head.headers));
    let data = read(&intake, body).await?;
    let taken = intake
        .take(Job {
            client: &client,
            command,
            data: &data,
            key: key.as_ref(),
            trace: trace(&head.headers),
            hasher_deadline: HASHER_DEADLINE,
            awaited: wait.is_some(),
        })
        .await
        .inspect_err(|problem| {
            // A job that was certainly not queued does not exist, so its id must not be given out.
            if let Problem::NotPublished { job_id, source: PublishError::Unknown(_) } = problem {
                correlation.set_job(*job_id);
            }
        })?;
    correlation.set_job(taken.job_id);
    let response = answer(&reader, &client, wait, taken).await;
    reach(Point::JobAnswered);
    Ok(response)
}

/// The answer, with the outcome if the client waits for it and it comes in time. The job is accepted, whether or not its
/// outcome can be looked up.
async fn answer(reader: &JobReader, client: &Client, wait: Option<Wait>, taken: Taken) -> Response {
    let Taken { job_id, command, api_key, replayed, reply } = taken;
    let decided = match wait {
        Some(wait) => reader.decided(job_id, &client.id, wait, reply).await.ok().flatten(),
        None => None,
    };
    let mut response = match (&decided, wait) {
        (Some(rows), Some(wait)) => {
            let view = View::of(reader.catalog, job_id, rows).showing(api_key.as_ref());
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

async fn read(intake: &Intake, body: Body) -> Result<Vec<u8>, Problem> {
    let read = collect(body, intake.body_max_bytes);
    tokio::time::timeout(intake.body_deadline, read)
        .await
        .unwrap_or_else(|_| Err(Problem::TooSlow { deadline_ms: intake.body_deadline.as_millis() }))
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
