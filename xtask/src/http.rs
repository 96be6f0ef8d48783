//! Speaking HTTP: to probes, to RabbitMQ's management API, and to the door as any client would.

use std::time::Duration;

use millrace_stack::http;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::trouble::Trouble;

const DEADLINE: Duration = Duration::from_secs(10);

/// A client for services on this machine.
pub fn client() -> Result<Client, Trouble> {
    http::client(DEADLINE).map_err(failed("preparing an HTTP client"))
}

/// URLs may carry a password, so they are left out of what people see.
pub fn failed(what: impl Into<String>) -> impl FnOnce(reqwest::Error) -> Trouble {
    let what = what.into();
    move |error| {
        let error = error.without_url();
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Trouble::Http { what, reason: format!("{error}{cause}") }
    }
}

/// The answer, if it is one of success; otherwise an error with what the server said.
pub async fn good(what: &str, response: Response) -> Result<Response, Trouble> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let said = response.text().await.unwrap_or_default();
    Err(Trouble::Http { what: what.to_owned(), reason: format!("{status} {said}") })
}

/// Millrace's door.
#[derive(Debug, Clone)]
pub struct Door {
    client: Client,
    pub url: String,
    pub api_key: String,
}

#[derive(Debug, Deserialize)]
struct Accepted {
    job_id: Uuid,
}

/// What `GET /v1/jobs/{id}` tells.
#[derive(Debug, Clone, Deserialize)]
pub struct JobView {
    pub status: String,
    pub attempts: u32,
    pub problem: Option<Value>,
    pub flow: Flow,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Flow {
    pub state: String,
    pub handled: u64,
    pub pending: u64,
    pub dead: u64,
}

/// What `GET /v1/jobs/{id}/trail` tells.
#[derive(Debug, Deserialize)]
pub struct Trail {
    pub messages: Vec<TrailMessage>,
}

#[derive(Debug, Deserialize)]
pub struct TrailMessage {
    pub message_id: Uuid,
    #[serde(rename = "type")]
    pub message_type: Option<String>,
    pub handler: Option<String>,
    pub status: String,
    pub attempts: u32,
    pub caused_by: Option<Uuid>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub handled_at: Option<OffsetDateTime>,
}

impl Door {
    pub fn new(url: String, api_key: String) -> Result<Self, Trouble> {
        Ok(Self { client: client()?, url, api_key })
    }

    /// Posts a job and returns its id, once the door has accepted it.
    pub async fn post(&self, command: &str, data: &Value) -> Result<Uuid, Trouble> {
        let url = format!("{}/v1/jobs/{command}", self.url);
        let sent = self.client.post(url).bearer_auth(&self.api_key).json(data).send().await;
        let what = format!("posting {command}");
        let response = good(&what, sent.map_err(failed(&what))?).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(Trouble::Http { what, reason: format!("{} instead of 202", response.status()) });
        }
        Ok(response.json::<Accepted>().await.map_err(failed(&what))?.job_id)
    }

    pub async fn job(&self, id: Uuid) -> Result<JobView, Trouble> {
        self.get(&format!("/v1/jobs/{id}")).await
    }

    pub async fn trail(&self, id: Uuid) -> Result<Trail, Trouble> {
        self.get(&format!("/v1/jobs/{id}/trail")).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        let what = format!("GET {path}");
        let sent = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.api_key).send().await;
        good(&what, sent.map_err(failed(&what))?).await?.json().await.map_err(failed(&what))
    }
}
