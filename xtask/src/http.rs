//! HTTP to RabbitMQ's management API and to Millrace's API.

use std::time::Duration;

use reqwest::{Client, Response};

use crate::error::Error;

const DEADLINE: Duration = Duration::from_secs(10);

/// A client for services on this machine.
pub fn client() -> Result<Client, Error> {
    millrace_stack::http::client(DEADLINE).map_err(failed("preparing an HTTP client"))
}

/// URLs may carry a password, so they are left out of what people see.
pub fn failed(what: impl Into<String>) -> impl FnOnce(reqwest::Error) -> Error {
    let what = what.into();
    move |error| {
        let error = error.without_url();
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Error::Http { what, reason: format!("{error}{cause}") }
    }
}

/// The answer, if it is one of success; otherwise an error with what the server said.
pub async fn good(what: &str, response: Response) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let said = response.text().await.unwrap_or_default();
    Err(Error::Http { what: what.to_owned(), reason: format!("{status} {said}") })
}
