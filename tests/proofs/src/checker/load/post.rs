//! One post, and what its answer says: taken, certainly not taken, or nobody knows.

use std::time::Duration;

use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::checker::history::Event;
use crate::checker::places;
use crate::checker::settings::Settings;
use crate::checker::trouble::Trouble;

const DEADLINE: Duration = Duration::from_secs(5);
/// Answers 503 that say that nothing was queued.
const NOTHING_QUEUED: [&str; 4] = ["broker-unavailable", "queue-full", "no-queue", "busy"];

/// What is known of a job after it was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with 202.
    Ok(Uuid),
    /// Certainly nothing was queued, and why.
    Fail(String),
    /// Nobody knows whether it was queued, and why; and the id it has if it was, where that was told.
    Info(String, Option<Uuid>),
}

impl Outcome {
    /// Whether the same would be taken later.
    pub fn is_refused_for_now(&self) -> bool {
        matches!(self, Self::Fail(reason) if !reason.starts_with('4'))
    }

    /// How the history keeps it.
    pub fn event(self, submit: u64) -> Event {
        match self {
            Self::Ok(job_id) => Event::Ok { submit, job_id },
            Self::Fail(reason) => Event::Fail { submit, reason },
            Self::Info(reason, job_id) => Event::Info { submit, reason, job_id },
        }
    }
}

/// Posts to the doors in turn.
#[derive(Debug)]
pub struct Poster {
    http: reqwest::Client,
    doors: Vec<String>,
    api_key: String,
}

#[derive(Deserialize)]
struct Accepted {
    job_id: Uuid,
}

#[derive(Deserialize)]
struct Problem {
    r#type: String,
    correlation_id: Option<Uuid>,
}

impl Poster {
    pub fn new(settings: &Settings) -> Result<Self, Trouble> {
        let base = |door: &Url| door.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            http: places::http(DEADLINE)?,
            doors: settings.door.iter().map(base).collect(),
            api_key: settings.api_key.clone(),
        })
    }

    pub async fn post(&self, submit: u64, command: &str, body: &Value) -> Outcome {
        let door = usize::try_from(submit).unwrap_or(0) % self.doors.len();
        let url = format!("{}/v1/jobs/{command}", self.doors[door]);
        let sent = self.http.post(url).bearer_auth(&self.api_key).json(body).send().await;
        match sent {
            Ok(response) => read(response).await,
            Err(error) if error.is_connect() => Outcome::Fail(format!("not connected to door {door}")),
            Err(error) => Outcome::Info(error.without_url().to_string(), None),
        }
    }
}

async fn read(response: Response) -> Outcome {
    let status = response.status().as_u16();
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(error) => return Outcome::Info(format!("{status}, then {}", error.without_url()), None),
    };
    classify(status, &body)
}

fn classify(status: u16, body: &[u8]) -> Outcome {
    let problem = serde_json::from_slice::<Problem>(body).ok();
    let slug =
        problem.as_ref().and_then(|problem| problem.r#type.rsplit(':').next()).unwrap_or("no problem type");
    let reason = format!("{status} {slug}");
    match status {
        202 => match serde_json::from_slice::<Accepted>(body) {
            Ok(accepted) => Outcome::Ok(accepted.job_id),
            Err(error) => Outcome::Info(format!("202 that can't be read: {error}"), None),
        },
        400..500 => Outcome::Fail(reason),
        503 if NOTHING_QUEUED.contains(&slug) => Outcome::Fail(reason),
        503 if slug == "unconfirmed" => Outcome::Info(reason, problem.and_then(|it| it.correlation_id)),
        _ => Outcome::Info(reason, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(slug: &str) -> Vec<u8> {
        let id = Uuid::from_u128(7);
        format!(r#"{{"type":"urn:millrace:problem:{slug}","correlation_id":"{id}"}}"#).into_bytes()
    }

    #[test]
    fn only_a_202_with_an_id_is_ok() {
        let id = Uuid::from_u128(7);
        assert_eq!(classify(202, format!(r#"{{"job_id":"{id}"}}"#).as_bytes()), Outcome::Ok(id));
        assert!(matches!(classify(202, b"{}"), Outcome::Info(..)));
        assert!(matches!(classify(200, b"{}"), Outcome::Info(..)));
    }

    #[test]
    fn only_an_answer_that_says_so_means_that_nothing_was_queued() {
        assert!(matches!(classify(422, &problem("invalid")), Outcome::Fail(_)));
        assert!(matches!(classify(503, &problem("broker-unavailable")), Outcome::Fail(_)));
        assert!(matches!(classify(503, &problem("queue-full")), Outcome::Fail(_)));
        assert!(matches!(classify(503, b""), Outcome::Info(_, None)));
        assert!(matches!(classify(500, &problem("bug")), Outcome::Info(_, None)));
    }

    #[test]
    fn an_unconfirmed_job_has_an_id_by_which_it_is_found() {
        let expected = Outcome::Info("503 unconfirmed".to_owned(), Some(Uuid::from_u128(7)));
        assert_eq!(classify(503, &problem("unconfirmed")), expected);
    }
}
