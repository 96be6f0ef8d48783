//! `GET /v1/jobs`: a client's own jobs, newest first, page by page.
//!
//! A page names the position at which the next one begins, so the thousandth page costs as much as the first.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use millrace_protocol::ledger::Status;
use millrace_protocol::{Catalog, JobId, Kind, Violation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::client::Client;
use crate::jobs::{JobReader, query};
use crate::ledger::page::{Filter, Listed, Page, Position};
use crate::problem::Problem;

const LIMIT: i64 = 50;
const LIMIT_MAX: i64 = 200;

/// The parameters of the query, as text.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    status: Option<String>,
    command: Option<String>,
    since: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// A page of the client's jobs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listing {
    /// Newest first. The list may be empty though there is a next page, if few jobs match.
    jobs: Vec<Listed>,
    /// Path of the next page; `null` on the last page.
    next: Option<String>,
}

pub(crate) async fn show(
    State(reader): State<Arc<JobReader>>,
    Extension(client): Extension<Client>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejected| query::unreadable(&rejected))?;
    let filter = query.read(reader.catalog).map_err(Problem::InvalidQuery)?;
    let Page { jobs, next } = reader.ledger.list(&client.id, filter).await?;
    let next = next.map(|next| query.continued_at(next));
    let link = next.as_ref().map(|next| format!("<{next}>; rel=\"next\""));
    let mut response = Json(Listing { jobs, next }).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(LINK, HeaderValue::try_from(link).expect("percent-encoded"));
    }
    Ok(response)
}

impl ListQuery {
    /// The filter, or everything that is wrong with the query.
    fn read(&self, catalog: &Catalog) -> Result<Filter, Vec<Violation>> {
        let command = |text: &str| command(catalog, text);
        let mut wrong = Vec::new();
        let filter = Filter {
            status: parameter("/status", self.status.as_deref(), status, &mut wrong),
            command: parameter("/command", self.command.as_deref(), command, &mut wrong),
            since: parameter("/since", self.since.as_deref(), since, &mut wrong),
            limit: parameter("/limit", self.limit.as_deref(), limit, &mut wrong).unwrap_or(LIMIT),
            after: parameter("/cursor", self.cursor.as_deref(), position, &mut wrong),
        };
        if wrong.is_empty() { Ok(filter) } else { Err(wrong) }
    }

    /// The path of the page that begins at this position.
    fn continued_at(&self, next: Position) -> String {
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
        query.append_pair("cursor", &cursor(next));
        format!("/v1/jobs?{}", query.finish())
    }
}

fn parameter<T>(
    pointer: &str,
    text: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, String>,
    wrong: &mut Vec<Violation>,
) -> Option<T> {
    let value = read(text?);
    value.map_err(|message| wrong.push(Violation::at(pointer, message))).ok()
}

fn status(text: &str) -> Result<Status, String> {
    Status::named(text).ok_or_else(|| {
        let known = Status::ALL.map(Status::name).join(", ");
        format!("expected one of {known}; a job that no worker has received yet is not listed")
    })
}

fn command(catalog: &Catalog, text: &str) -> Result<String, String> {
    match catalog.find(text).filter(|entry| entry.kind == Kind::Command) {
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

fn cursor(position: Position) -> String {
    let micros = position.received_at.unix_timestamp_nanos() / 1_000;
    format!("{micros}-{}", position.job.0.simple())
}

fn position(cursor: &str) -> Result<Position, String> {
    let read = || {
        let (micros, job) = cursor.split_once('-')?;
        // An i64 holds the microseconds of every year that Postgres knows.
        let nanos = i128::from(micros.parse::<i64>().ok()?) * 1_000;
        let received_at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
        Some(Position { received_at, job: JobId(Uuid::try_parse(job).ok()?) })
    };
    read().ok_or_else(|| "this is no cursor of this API: take it unchanged from next".to_owned())
}
