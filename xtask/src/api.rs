//! Millrace's API as any client uses it.

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Error;
use crate::http::{client, failed, good};

/// A client with a key.
#[derive(Debug, Clone)]
pub struct ApiClient {
    client: Client,
    /// `http://address:port`
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

impl ApiClient {
    pub fn new(url: String, api_key: String) -> Result<Self, Error> {
        Ok(Self { client: client()?, url, api_key })
    }

    /// Posts a job and returns its id, once the API has accepted it.
    pub async fn post(&self, command: &str, data: &Value) -> Result<Uuid, Error> {
        let url = format!("{}/v1/jobs/{command}", self.url);
        let sent = self.client.post(url).bearer_auth(&self.api_key).json(data).send().await;
        let what = format!("posting {command}");
        let response = good(&what, sent.map_err(failed(&what))?).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(Error::Http { what, reason: format!("{} instead of 202", response.status()) });
        }
        Ok(response.json::<Accepted>().await.map_err(failed(&what))?.job_id)
    }

    pub async fn job(&self, id: Uuid) -> Result<JobView, Error> {
        self.get(&format!("/v1/jobs/{id}")).await
    }

    pub async fn trail(&self, id: Uuid) -> Result<Trail, Error> {
        self.get(&format!("/v1/jobs/{id}/trail")).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let what = format!("GET {path}");
        let sent = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.api_key).send().await;
        good(&what, sent.map_err(failed(&what))?).await?.json().await.map_err(failed(&what))
    }
}
