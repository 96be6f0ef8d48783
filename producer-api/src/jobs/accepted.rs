//! The body of a 202: the job's id, and where to look up what becomes of the job.

use millrace_contracts::ApiKey;
use millrace_protocol::JobId;
use schemars::JsonSchema;
use serde::Serialize;

/// The broker has the job.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Accepted {
    job_id: JobId,
    command: &'static str,
    /// Always `accepted`.
    status: &'static str,
    pub links: Links,
    /// The new API key, for `auth.issue-api-key` alone. It is shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    api_key: Option<ApiKey>,
}

/// Where to look up what becomes of the job.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Links {
    /// The job's status.
    #[serde(rename = "self")]
    pub job: String,
    /// Every message of the job's flow.
    trail: String,
    /// The same messages as they happen, as server-sent events.
    events: String,
    /// A page for people, in a browser.
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
