//! Every answer that is an error: one type, from which RFC 9457 problem details are made.
//!
//! A client reads the variant's own sentence, and the log has the errors that caused it. So no text of SQL, broker or stack
//! reaches a client.

mod log;

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use millrace_broker::PublishError;
use millrace_contracts::Scope;
use millrace_protocol::{Invalid, JobId, Violation};
use millrace_service::{Alert, AlertSink};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::database::ReadError;
use crate::rate_headers;

#[cfg(test)]
mod tests;

/// Why a request fails. The text of a variant is what the client reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("This needs an API key: send it in the header Authorization: Bearer <key>.")]
    KeyMissing,
    #[error("This API key is unknown, or no longer valid.")]
    KeyUnknown,
    #[error("The API key can't be checked at the moment. Nothing was done: try again.")]
    KeysUnreadable(#[source] ReadError),
    #[error("This API key may not post {command}: it has no scope such as jobs:{command}.")]
    ScopeMissing { command: &'static str },
    #[error("This API key can't grant the scope {scope}, which it does not have itself.")]
    ScopeExceeded { scope: Scope },
    #[error("The idempotency key is malformed. {0} Nothing was queued.")]
    KeyMalformed(&'static str),
    #[error(
        "This idempotency key was used before, for another command or other data. Nothing was queued: give another job \
         another key."
    )]
    KeyReused,
    #[error("This client sends more requests a second than it may. Nothing was done: try again later.")]
    RateLimited { policy: HeaderValue, wait: Duration },
    #[error("This client has more requests in flight than it may. Nothing was done: try again later.")]
    TooManyInFlight,
    #[error("The API serves as many requests as it can. Nothing was done: try again later.")]
    Overloaded,
    #[error("The query is invalid; errors says which parameter and why.")]
    InvalidQuery(Vec<Violation>),
    #[error(
        "There is nothing at this path. Post jobs to /v1/jobs/{{command}}, and look them up at /v1/jobs/{{job id}}; \
         /docs describes all paths."
    )]
    UnknownPath,
    #[error("This path does not accept this method; the header Allow lists those that it accepts.")]
    UnknownMethod,
    #[error("There is no command of this name.{}", nearest.map(|name| format!(" Did you mean {name}?")).unwrap_or_default())]
    UnknownCommand { nearest: Option<&'static str> },
    #[error("This API key's client has no job with this id.")]
    UnknownJob,
    #[error("A job's data is JSON: send it uncompressed, with the header Content-Type: application/json.")]
    NotDeclaredJson,
    #[error(
        "A batch has a job on each line: send it uncompressed, with the header Content-Type: application/x-ndjson. \
         Post a single job to /v1/jobs/{{command}}."
    )]
    NotDeclaredLines,
    #[error("The body is larger than {max_bytes} bytes.")]
    TooLarge { max_bytes: usize },
    #[error("The body did not arrive within {deadline_ms} milliseconds.")]
    TooSlow { deadline_ms: u128 },
    #[error("The body ended before it was complete.")]
    BrokenOff,
    #[error("The body is not JSON. Nothing was queued.")]
    NotJson(Vec<Violation>),
    #[error("The data is not what this command needs; errors says where and why. Nothing was queued.")]
    Invalid(Vec<Violation>),
    #[error("Too many passwords are being set at the moment. Nothing was queued: try again.")]
    HashersBusy,
    #[error("{}", not_published(source, *job_id))]
    NotPublished { job_id: JobId, source: PublishError },
    #[error("Jobs can't be looked up at the moment. The jobs themselves are not affected: try again.")]
    Unreadable(#[from] ReadError),
    #[error("The API has a bug, and this request met it. The correlation id leads to it in the log.")]
    Bug,
}

fn not_published(error: &PublishError, job_id: JobId) -> String {
    match error {
        PublishError::Unavailable(_) => {
            "Jobs can't be queued at the moment. Nothing was queued: try again.".to_owned()
        }
        PublishError::Refused => {
            "The queue for this command is full. Nothing was queued: try again later.".to_owned()
        }
        PublishError::Unroutable => {
            "There is no queue for this command. Nothing will be done: try again later.".to_owned()
        }
        PublishError::Unknown(_) => format!(
            "It is not certain whether the job was queued. If it was, /v1/jobs/{job_id} shows what becomes of it. To be \
             sure, post the job again."
        ),
    }
}

/// What all problems of one kind have in common.
struct Kind {
    slug: &'static str,
    title: &'static str,
    status: StatusCode,
    /// Value of `Retry-After`, in seconds.
    retry_after: Option<u16>,
    /// Whether an operator should look at it.
    alerts: bool,
}

impl Kind {
    const fn of_request(slug: &'static str, title: &'static str, status: StatusCode) -> Self {
        Self { slug, title, status, retry_after: None, alerts: false }
    }

    const fn passing(slug: &'static str, title: &'static str, retry_after: u16) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { slug, title, status, retry_after: Some(retry_after), alerts: false }
    }

    fn limited(slug: &'static str, title: &'static str, wait: Duration) -> Self {
        // The header has whole seconds only.
        let seconds = u16::try_from(wait.as_secs().saturating_add(1)).unwrap_or(u16::MAX);
        Self { retry_after: Some(seconds), ..Self::of_request(slug, title, StatusCode::TOO_MANY_REQUESTS) }
    }

    const fn alerting(self) -> Self {
        Self { alerts: true, ..self }
    }
}

impl Problem {
    fn kind(&self) -> Kind {
        use StatusCode as S;
        match self {
            Self::KeyMissing => Kind::of_request("key-missing", "No API key", S::UNAUTHORIZED),
            Self::KeyUnknown => Kind::of_request("key-unknown", "Unknown API key", S::UNAUTHORIZED),
            Self::UnknownPath => Kind::of_request("unknown-path", "Unknown path", S::NOT_FOUND),
            Self::UnknownMethod => {
                Kind::of_request("unknown-method", "Unknown method", S::METHOD_NOT_ALLOWED)
            }
            Self::UnknownCommand { .. } => {
                Kind::of_request("unknown-command", "Unknown command", S::NOT_FOUND)
            }
            Self::UnknownJob => Kind::of_request("unknown-job", "Unknown job", S::NOT_FOUND),
            Self::KeysUnreadable(ReadError::Unexpected(_) | ReadError::UnknownStatus) => {
                Kind::passing("keys-unavailable", "API keys unavailable", 30).alerting()
            }
            Self::KeysUnreadable(_) => Kind::passing("keys-unavailable", "API keys unavailable", 2),
            Self::ScopeMissing { .. } => Kind::of_request("scope-missing", "Not allowed", S::FORBIDDEN),
            Self::ScopeExceeded { .. } => Kind::of_request("scope-exceeded", "Not allowed", S::FORBIDDEN),
            Self::KeyMalformed(_) => {
                Kind::of_request("idempotency-key-malformed", "Malformed idempotency key", S::BAD_REQUEST)
            }
            Self::KeyReused => {
                Kind::of_request("idempotency-key-reused", "Idempotency key reused", S::UNPROCESSABLE_ENTITY)
            }
            Self::RateLimited { wait, .. } => Kind::limited("rate-limited", "Too many requests", *wait),
            Self::TooManyInFlight => {
                Kind::limited("too-many-in-flight", "Too many requests at once", Duration::from_secs(1))
            }
            Self::Overloaded => Kind::passing("overloaded", "Overloaded", 1),
            Self::InvalidQuery(_) => Kind::of_request("invalid-query", "Invalid query", S::BAD_REQUEST),
            Self::NotDeclaredLines => Kind::of_request("not-ndjson", "Not NDJSON", S::UNSUPPORTED_MEDIA_TYPE),
            Self::NotDeclaredJson => Kind::of_request("not-json", "Not JSON", S::UNSUPPORTED_MEDIA_TYPE),
            Self::TooLarge { .. } => Kind::of_request("too-large", "Body too large", S::PAYLOAD_TOO_LARGE),
            Self::TooSlow { .. } => Kind::of_request("too-slow", "Body too slow", S::REQUEST_TIMEOUT),
            Self::BrokenOff => Kind::of_request("broken-off", "Body broken off", S::BAD_REQUEST),
            Self::NotJson(_) => Kind::of_request("not-json", "Not JSON", S::BAD_REQUEST),
            Self::Invalid(_) => Kind::of_request("invalid", "Invalid data", S::UNPROCESSABLE_ENTITY),
            Self::HashersBusy => Kind::passing("busy", "Busy", 2),
            Self::NotPublished { source, .. } => match source {
                PublishError::Unavailable(_) => Kind::passing("broker-unavailable", "Broker unavailable", 2),
                PublishError::Refused => Kind::passing("queue-full", "Queue full", 10),
                PublishError::Unroutable => Kind::passing("no-queue", "No queue", 30).alerting(),
                PublishError::Unknown(_) => Kind::passing("unconfirmed", "Not confirmed", 2),
            },
            Self::Unreadable(ReadError::Unreachable(_) | ReadError::Silent | ReadError::Avoided) => {
                Kind::passing("ledger-unavailable", "Ledger unavailable", 5)
            }
            Self::Unreadable(ReadError::Unexpected(_) | ReadError::UnknownStatus) => {
                Kind::passing("ledger-unavailable", "Ledger unavailable", 30).alerting()
            }
            Self::Bug => Kind::of_request("bug", "Internal error", S::INTERNAL_SERVER_ERROR).alerting(),
        }
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::NotJson(violations) | Self::Invalid(violations) | Self::InvalidQuery(violations) => {
                violations
            }
            _ => &[],
        }
    }

    /// The same problem with its pointers below this one, for a body that is a part of a larger one.
    pub fn below(mut self, pointer: &str) -> Self {
        if let Self::NotJson(violations) | Self::Invalid(violations) = &mut self {
            for violation in violations {
                violation.pointer.insert_str(0, pointer);
            }
        }
        self
    }

    /// The job that may exist in spite of the error.
    pub fn job_id(&self) -> Option<JobId> {
        match self {
            Self::NotPublished { job_id, source: PublishError::Unknown(_) } => Some(*job_id),
            _ => None,
        }
    }

    /// The answer, with its headers. The log line is written here and, for an operator, the alert raised.
    pub fn answer(&self, correlation_id: Uuid, alerts: &dyn AlertSink) -> Response {
        let kind = self.kind();
        self.log(&kind, correlation_id, alerts);
        let details = self.details(correlation_id);
        let body = serde_json::to_vec(&details).expect("problem details are plain data");
        let mut response = (kind.status, [(CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = kind.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if let Self::RateLimited { policy, .. } = self {
            rate_headers::write(response.headers_mut(), policy, 0);
        }
        // RFC 9110 §11.6.1 wants the header with every 401, RFC 6750 §3.1 the error once a key was given.
        let challenge = match self {
            Self::KeyMissing => Some(r#"Bearer realm="millrace""#),
            Self::KeyUnknown => Some(r#"Bearer realm="millrace", error="invalid_token""#),
            _ => None,
        };
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }

    /// The details of a problem that a line of a batch has. It is counted and logged here, as it is no answer of its own.
    pub fn of_line(&self, correlation_id: Uuid) -> Details<'_> {
        let slug = self.kind().slug;
        metrics::counter!("millrace_http_problems_total", "problem" => slug).increment(1);
        tracing::debug!(%correlation_id, problem = slug, cause = self.cause(), "Refused a line: {self}");
        self.details(correlation_id)
    }

    /// The body of the answer.
    pub fn details(&self, correlation_id: Uuid) -> Details<'_> {
        let kind = self.kind();
        Details {
            r#type: format!("urn:millrace:problem:{}", kind.slug),
            title: kind.title,
            status: kind.status.as_u16(),
            detail: self.to_string(),
            instance: format!("urn:uuid:{correlation_id}"),
            correlation_id,
            errors: self.violations(),
        }
    }

    fn log(&self, kind: &Kind, correlation_id: Uuid, alerts: &dyn AlertSink) {
        let (status, problem) = (kind.status.as_u16(), kind.slug);
        metrics::counter!("millrace_http_problems_total", "problem" => problem).increment(1);
        let cause = self.cause();
        if kind.alerts {
            let sentence = format!("{} The cause: {cause}", self.for_operators());
            alerts.raise(Alert { name: problem, sentence, job_id: Some(correlation_id) });
        } else if !log::may_write(problem) {
            // A client that sends nothing but errors must not fill the disk; the metric counts them all.
            tracing::debug!(correlation_id = %correlation_id, status, problem, cause, "Answered {status}: {self}");
        } else if kind.status.is_server_error() {
            tracing::warn!(correlation_id = %correlation_id, status, problem, cause, "Answered {status}: {self}");
        } else {
            tracing::info!(correlation_id = %correlation_id, status, problem, "Answered {status}: {self}");
        }
    }

    fn for_operators(&self) -> &'static str {
        match self {
            Self::NotPublished { .. } => {
                "The broker has no queue for a command, so its jobs are answered 503: run ops topology apply."
            }
            Self::Unreadable(_) | Self::KeysUnreadable(_) => {
                "The ledger is not as this version expects it, so jobs can't be looked up: run ops migrate, or deploy the \
                 version that fits the database."
            }
            _ => "A request was answered 500 because of a bug; the log line of the panic says where.",
        }
    }

    /// The errors that caused it, outermost first.
    fn cause(&self) -> String {
        let mut texts = Vec::new();
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            texts.push(error.to_string());
            next = error.source();
        }
        texts.join(": ")
    }
}

/// Why a request failed (RFC 9457 §3, with `correlation_id` and `errors` as extension members).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Details<'a> {
    /// The kind of problem, for programs.
    pub r#type: String,
    /// The kind of problem, for people.
    pub title: &'static str,
    /// The HTTP status, as in the answer's first line.
    pub status: u16,
    /// What happened, what it means and what to do, for people.
    detail: String,
    /// Identifies this occurrence: the correlation id as a URI.
    instance: String,
    /// Leads to this request in the logs.
    correlation_id: Uuid,
    /// What is wrong in the body or the query, and where.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schemars(default)]
    errors: &'a [Violation],
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::NotJson(violation) => Self::NotJson(vec![violation]),
            Invalid::Violations(violations) => Self::Invalid(violations),
        }
    }
}

/// Carries the problem to where the correlation id is known; [`Problem::answer`] writes the answer there.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind().status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
