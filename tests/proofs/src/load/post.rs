//! One post, and what its answer says: taken, certainly not taken, or nobody knows.

use std::time::{Duration, Instant};

use millrace_contracts::catalog;
use millrace_protocol::Fingerprint;
use millrace_testkit::http;
use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use crate::error::Error;
use crate::history::{Answer, Submit};

/// Answers 503 that say that nothing was queued.
const NOTHING_QUEUED: [&str; 4] = ["broker-unavailable", "queue-full", "no-queue", "busy"];

/// Posts to the APIs in turn.
#[derive(Debug)]
pub struct Poster {
    http: reqwest::Client,
    apis: Vec<String>,
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
    /// Whoever is not answered within the deadline does not know what became of the job.
    pub fn new(apis: &[Url], api_key: &str, deadline: Duration) -> Result<Self, Error> {
        let base = |api: &Url| api.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            http: http::client(deadline)?,
            apis: apis.iter().map(base).collect(),
            api_key: api_key.to_owned(),
        })
    }

    /// Posts a job; `number` says to which API.
    pub async fn submit(&self, number: u64, command: &str, body: Value) -> Submit {
        let wire = body_on_the_wire(command, &body);
        let fingerprint = wire.map(|wire| Fingerprint::of(&wire).as_str().to_owned());
        let (invoked_at, began) = (OffsetDateTime::now_utc(), Instant::now());
        let answer = self.post(number, command, &body).await;
        let (answered_at, took) = (Some(OffsetDateTime::now_utc()), Some(began.elapsed()));
        Submit {
            number,
            command: command.to_owned(),
            body,
            fingerprint,
            invoked_at,
            answered_at,
            took,
            answer,
        }
    }

    async fn post(&self, number: u64, command: &str, body: &Value) -> Answer {
        let api = usize::try_from(number).unwrap_or(0) % self.apis.len();
        let url = format!("{}/v1/jobs/{command}", self.apis[api]);
        let sent = self.http.post(url).bearer_auth(&self.api_key).json(body).send().await;
        match sent {
            Ok(response) => read(response).await,
            Err(error) if error.is_connect() => Answer::Refused(format!("not connected to API {api}")),
            Err(error) => Answer::Unknown(error.without_url().to_string(), None),
        }
    }
}

/// The body that the API puts onto the wire for a job; of one that it refuses there is none. It mints the key of an API key
/// itself, so that one can't be known.
pub fn body_on_the_wire(command: &str, body: &Value) -> Option<Vec<u8>> {
    let entry = catalog().find(command).filter(|entry| entry.message_type != "auth.issue-api-key")?;
    entry.check(body.to_string().as_bytes()).ok()
}

async fn read(response: Response) -> Answer {
    let status = response.status().as_u16();
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(error) => return Answer::Unknown(format!("{status}, then {}", error.without_url()), None),
    };
    classify(status, &body)
}

fn classify(status: u16, body: &[u8]) -> Answer {
    let problem = serde_json::from_slice::<Problem>(body).ok();
    let slug =
        problem.as_ref().and_then(|problem| problem.r#type.rsplit(':').next()).unwrap_or("no problem type");
    let reason = format!("{status} {slug}");
    match status {
        202 => match serde_json::from_slice::<Accepted>(body) {
            Ok(accepted) => Answer::Accepted(accepted.job_id),
            Err(error) => Answer::Unknown(format!("202 that can't be read: {error}"), None),
        },
        400..500 => Answer::Refused(reason),
        503 if NOTHING_QUEUED.contains(&slug) => Answer::Refused(reason),
        503 if slug == "unconfirmed" => Answer::Unknown(reason, problem.and_then(|it| it.correlation_id)),
        _ => Answer::Unknown(reason, None),
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
        assert_eq!(classify(202, format!(r#"{{"job_id":"{id}"}}"#).as_bytes()), Answer::Accepted(id));
        assert!(matches!(classify(202, b"{}"), Answer::Unknown(..)));
        assert!(matches!(classify(200, b"{}"), Answer::Unknown(..)));
    }

    #[test]
    fn only_an_answer_that_says_so_means_that_nothing_was_queued() {
        assert!(matches!(classify(422, &problem("invalid")), Answer::Refused(_)));
        assert!(matches!(classify(503, &problem("broker-unavailable")), Answer::Refused(_)));
        assert!(matches!(classify(503, &problem("queue-full")), Answer::Refused(_)));
        assert!(matches!(classify(503, b""), Answer::Unknown(_, None)));
        assert!(matches!(classify(500, &problem("bug")), Answer::Unknown(_, None)));
    }

    #[test]
    fn an_unconfirmed_job_has_an_id_by_which_it_is_found() {
        let expected = Answer::Unknown("503 unconfirmed".to_owned(), Some(Uuid::from_u128(7)));
        assert_eq!(classify(503, &problem("unconfirmed")), expected);
    }
}
