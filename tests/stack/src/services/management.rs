//! RabbitMQ's management API, for whoever has its URL with user and password.

use std::time::Duration;

pub use reqwest::Method;
use serde_json::Value;

use super::ServicesError;
use crate::http;

const DEADLINE: Duration = Duration::from_secs(10);

/// What it answers to a question, such as `overview` or `queues/%2f`.
///
/// # Errors
///
/// When it answers nothing, or that it can't be asked this.
pub async fn get(url: &str, path: &str) -> Result<Value, ServicesError> {
    ask(url, Method::GET, path, None).await
}

/// The same with any method; `null` where the answer is empty.
///
/// # Errors
///
/// When it answers nothing, or refuses.
pub async fn ask(
    url: &str,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, ServicesError> {
    ask_within(DEADLINE, url, method, path, body).await
}

/// The same for what takes the broker longer.
pub(super) async fn ask_within(
    deadline: Duration,
    url: &str,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, ServicesError> {
    let asked = async {
        let client = if url.starts_with("https:") { http::secure(deadline) } else { http::client(deadline) };
        let mut request = client?.request(method, format!("{}/api/{path}", url.trim_end_matches('/')));
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await?.error_for_status()?.text().await
    };
    // The URL carries the password, so it is left out of what people see.
    let failed = |error: reqwest::Error| ServicesError::refused("the management API", error.without_url());
    // RabbitMQ 4.0 names a field twice when a queue has changed its leader; read as a value, the last one counts.
    Ok(serde_json::from_str(&asked.await.map_err(failed)?).unwrap_or_default())
}
