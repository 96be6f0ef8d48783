//! `GET /v1/jobs`: a client's own jobs, those that came last first, page by page.
//!
//! A page says where the next one begins; nothing is counted through, so the thousandth page costs what the first does.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use millrace_contracts::ledger::Status;
use millrace_contracts::{JobId, Kind, Violation, catalog};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::jobs::Answers;
use crate::jobs::view::not_understood;
use crate::keys::Client;
use crate::problem::Problem;

const LIMIT: i64 = 50;
const LIMIT_MAX: i64 = 200;

/// What a listing may ask for, as it is written in the query.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    status: Option<String>,
    command: Option<String>,
    since: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// What a listing asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub status: Option<Status>,
    pub command: Option<String>,
    pub since: Option<OffsetDateTime>,
    pub limit: i64,
    /// Behind this one.
    pub after: Option<Position>,
}

/// A place in a client's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub received_at: OffsetDateTime,
    pub job: JobId,
}

/// Some of a client's jobs, and where the next ones are.
#[derive(Debug)]
pub(crate) struct Page {
    pub jobs: Vec<Listed>,
    pub next: Option<Position>,
}

/// One of a client's jobs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listed {
    pub job_id: JobId,
    pub command: String,
    pub status: Status,
    pub attempts: u32,
    /// When a worker got it.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub received_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub handled_at: Option<OffsetDateTime>,
}

/// A page as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listing {
    /// Those that came last first. May be empty though there is a next page, where what is looked for is rare.
    jobs: Vec<Listed>,
    /// Where the next page is; `null` after the last.
    next: Option<String>,
}

pub(crate) async fn show(
    State(answers): State<Arc<Answers>>,
    Extension(client): Extension<Client>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|refused| Problem::InvalidQuery(vec![not_understood(&refused)]))?;
    let filter = asked.read().map_err(Problem::InvalidQuery)?;
    let Page { jobs, next } = answers.ledger.list(&client.id, filter).await?;
    let next = next.map(|next| asked.at(next));
    let link = next.as_ref().map(|next| format!("<{next}>; rel=\"next\""));
    let mut response = Json(Listing { jobs, next }).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(LINK, HeaderValue::try_from(link).expect("percent-encoded"));
    }
    Ok(response)
}

impl Asked {
    /// Everything that is wrong is told at once.
    fn read(&self) -> Result<Filter, Vec<Violation>> {
        let mut wrong = Vec::new();
        let filter = Filter {
            status: parameter("/status", self.status.as_deref(), status, &mut wrong),
            command: parameter("/command", self.command.as_deref(), command, &mut wrong),
            since: parameter("/since", self.since.as_deref(), since, &mut wrong),
            limit: parameter("/limit", self.limit.as_deref(), limit, &mut wrong).unwrap_or(LIMIT),
            after: parameter("/cursor", self.cursor.as_deref(), Position::read, &mut wrong),
        };
        if wrong.is_empty() { Ok(filter) } else { Err(wrong) }
    }

    /// The same question, from there on.
    fn at(&self, next: Position) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("status", &self.status),
            ("command", &self.command),
            ("since", &self.since),
            ("limit", &self.limit),
        ] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.append_pair("cursor", &next.written());
        format!("/v1/jobs?{}", query.finish())
    }
}

fn parameter<T>(
    pointer: &str,
    text: Option<&str>,
    read: fn(&str) -> Result<T, String>,
    wrong: &mut Vec<Violation>,
) -> Option<T> {
    let value = read(text?);
    value.map_err(|message| wrong.push(Violation::at(pointer, message))).ok()
}

fn status(text: &str) -> Result<Status, String> {
    Status::named(text).ok_or_else(|| {
        let known = Status::ALL.map(Status::name).join(", ");
        format!("expected one of {known}; a job that is accepted and no worker has touched is not listed")
    })
}

fn command(text: &str) -> Result<String, String> {
    match catalog::find(text).filter(|entry| entry.kind == Kind::Command) {
        Some(entry) => Ok(entry.message_type.to_owned()),
        None => Err("there is no command of this name".to_owned()),
    }
}

fn since(text: &str) -> Result<OffsetDateTime, String> {
    let expected = |_| "expected a time such as 2030-01-01T00:00:00Z (RFC 3339)".to_owned();
    OffsetDateTime::parse(text, &Rfc3339).map_err(expected)
}

fn limit(text: &str) -> Result<i64, String> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| format!("expected a whole number from 1 to {LIMIT_MAX}"))
}

impl Position {
    fn written(self) -> String {
        let micros = self.received_at.unix_timestamp_nanos() / 1_000;
        format!("{micros}-{}", self.job.0.simple())
    }

    fn read(text: &str) -> Result<Self, String> {
        let read = || {
            let (micros, job) = text.split_once('-')?;
            // Microseconds of all the years that Postgres knows fit.
            let nanos = i128::from(micros.parse::<i64>().ok()?) * 1_000;
            let received_at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
            Some(Self { received_at, job: JobId(Uuid::try_parse(job).ok()?) })
        };
        read().ok_or_else(|| "this cursor was not given out here: take it from next, as it is".to_owned())
    }
}
