//! A small client for RabbitMQ's management HTTP API and one vhost.

use std::fmt;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

/// Requests that fail with status 5xx are repeated for two seconds.
const REPEATS: u32 = 8;
const REPEAT_PAUSE: Duration = Duration::from_millis(250);
/// For name lookup, TCP and TLS together.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// For one whole request. The broker needs some time for a policy that matches many queues.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);
/// All but the unreserved characters of RFC 3986 §2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A client of RabbitMQ's management API for one vhost. Its `Debug` does not show the password.
#[derive(Clone)]
pub struct Management {
    http: reqwest::Client,
    /// The URL without user, password and trailing slash.
    base: String,
    user: String,
    password: String,
    vhost: String,
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Management({} as {}, vhost {})", self.base, self.user, self.vhost)
    }
}

/// Why a request to the management API failed. Each `Display` is a sentence for the person who runs the command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManagementError {
    /// No connection could be opened.
    #[error(
        "RabbitMQ's management API at {url} cannot be reached ({reason}). Check that the broker runs, that its \
         management plugin is on (`rabbitmq-plugins enable rabbitmq_management`), and host and port in \
         AMQP_MANAGEMENT_URL"
    )]
    Unreachable {
        /// Without user and password.
        url: String,
        /// The error of the operating system or of TLS.
        reason: String,
    },
    /// Connected, but no response arrived within 30 s.
    #[error(
        "RabbitMQ's management API did not answer {url} within {} s: the broker is overloaded or hangs. It is \
         unknown whether the request was carried out; asking again is safe", REQUEST_DEADLINE.as_secs()
    )]
    Silent {
        /// Without user and password.
        url: String,
    },
    /// The response is not one of the management API.
    #[error(
        "{url} answers, but not as RabbitMQ's management API does ({reason}). Check host, port (usually 15672; \
         5672 is AMQP) and http or https in AMQP_MANAGEMENT_URL"
    )]
    NotManagement {
        /// Without user and password.
        url: String,
        /// What is wrong with the response.
        reason: String,
    },
    /// Unknown user or wrong password.
    #[error("{url} refuses user `{user}` with this password ({reason}). Check both in AMQP_MANAGEMENT_URL")]
    LoginRefused {
        /// Without user and password.
        url: String,
        /// The user's name.
        user: String,
        /// The broker's own reason.
        reason: String,
    },
    /// The user lacks a tag or a permission.
    #[error(
        "User `{user}` may not {doing} in vhost `{vhost}` ({reason}). Setting up the broker needs the tag \
         `policymaker` (`rabbitmqctl set_user_tags {user} policymaker`) and the permission to configure \
         (`rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'`)"
    )]
    NotAllowed {
        /// The user's name.
        user: String,
        /// The vhost's name.
        vhost: String,
        /// The request as a verb and its object, such as `list queues`.
        doing: String,
        /// The broker's own reason.
        reason: String,
    },
    /// The vhost does not exist. Newer brokers also say this to a user without access to it.
    #[error(
        "Vhost `{vhost}` does not exist, or user `{user}` has no access to it. Check the path of AMQP_URL, or create \
         it: `rabbitmqctl add_vhost {vhost}`, then `rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'`"
    )]
    NoSuchVhost {
        /// The vhost's name.
        vhost: String,
        /// The user's name.
        user: String,
    },
    /// The broker refuses the request (status 4xx).
    #[error("RabbitMQ refuses to {doing}: {reason}")]
    Refused {
        /// The request as a verb and its object, such as `list queues`.
        doing: String,
        /// The broker's own reason.
        reason: String,
    },
    /// The broker failed (status 5xx), also after two seconds of repeating where a request may be repeated.
    #[error("RabbitMQ failed to {doing} (status {status}): {reason}. See the broker's log, then try again")]
    Failing {
        /// The request as a verb and its object, such as `list queues`.
        doing: String,
        /// The response's HTTP status.
        status: u16,
        /// The broker's own reason.
        reason: String,
    },
}

/// The vhost that an AMQP URL names: its decoded path, or `/` where the path is empty.
#[must_use]
pub fn vhost_of(amqp_url: &Url) -> String {
    let path = amqp_url.path().strip_prefix('/').unwrap_or_default();
    match percent_decode_str(path).decode_utf8_lossy() {
        name if name.is_empty() => "/".to_owned(),
        name => name.into_owned(),
    }
}

/// An HTTP client without proxies. It loads the system's certificates only for https, because a small container may have
/// none.
fn http_client(url: &Url) -> reqwest::Result<reqwest::Client> {
    // Fails only where a provider is installed already, and that one is used then.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .timeout(REQUEST_DEADLINE);
    match url.scheme() {
        "https" => client.build(),
        _ => client.tls_certs_only([]).build(),
    }
}

impl Management {
    /// A client for the management API at an `http://` or `https://` URL, with the user and password that the URL names
    /// (`guest` where it names none). Sends no request; fails only where the system's certificates can't be loaded.
    pub fn new(url: &Url, vhost: impl Into<String>) -> Result<Self, ManagementError> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = match url.username() {
            "" => "guest".to_owned(),
            user => decoded(user),
        };
        let password = decoded(url.password().unwrap_or("guest"));
        let mut bare = url.clone();
        // Only URLs without a host refuse this, and they have neither user nor password.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        bare.set_query(None);
        bare.set_fragment(None);
        let base = bare.as_str().trim_end_matches('/').to_owned();
        let http = http_client(url)
            .map_err(|error| ManagementError::Unreachable { url: base.clone(), reason: innermost(&error) })?;
        Ok(Self { http, base, user, password, vhost: vhost.into() })
    }

    /// The vhost's name.
    #[must_use]
    pub fn vhost(&self) -> &str {
        &self.vhost
    }

    /// Reads something that belongs to no vhost. `doing` names the request in errors, as a verb and its object.
    pub(super) async fn read_global<T: DeserializeOwned>(
        &self,
        path: &str,
        doing: &str,
    ) -> Result<T, ManagementError> {
        self.send(Method::GET, &format!("/api/{path}"), None::<&()>, doing)
            .await?
            .ok_or_else(|| self.not_management(path, "it knows nothing of this path"))
    }

    /// Lists everything of one kind in the vhost, such as `queues`.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        kind: &str,
        query: &str,
    ) -> Result<Vec<T>, ManagementError> {
        let path = format!("{}{query}", self.path(kind, &[]));
        let listed = self.send(Method::GET, &path, None::<&()>, &format!("list {kind}")).await?;
        listed.ok_or_else(|| self.no_such_vhost())
    }

    /// Posts an action on something in the vhost and gives the result; `None` where the thing does not exist.
    pub(crate) async fn act<T: DeserializeOwned>(
        &self,
        kind: &str,
        names: &[&str],
        body: &impl Serialize,
        doing: &str,
    ) -> Result<Option<T>, ManagementError> {
        self.send(Method::POST, &self.path(kind, names), Some(body), doing).await
    }

    /// Creates or replaces something in the vhost.
    pub(super) async fn put(
        &self,
        kind: &str,
        names: &[&str],
        body: &impl Serialize,
        doing: &str,
    ) -> Result<(), ManagementError> {
        self.write(Method::PUT, kind, names, body, doing).await
    }

    /// Adds something to the vhost; does nothing where it exists.
    pub(super) async fn post(
        &self,
        kind: &str,
        names: &[&str],
        body: &impl Serialize,
        doing: &str,
    ) -> Result<(), ManagementError> {
        self.write(Method::POST, kind, names, body, doing).await
    }

    /// Removes something from the vhost; does nothing where it does not exist.
    pub(super) async fn delete(
        &self,
        kind: &str,
        names: &[&str],
        doing: &str,
    ) -> Result<(), ManagementError> {
        let path = self.path(kind, names);
        self.send::<Ignored>(Method::DELETE, &path, None::<&()>, doing).await.map(|_| ())
    }

    async fn write(
        &self,
        method: Method,
        kind: &str,
        names: &[&str],
        body: &impl Serialize,
        doing: &str,
    ) -> Result<(), ManagementError> {
        match self.send::<Ignored>(method, &self.path(kind, names), Some(body), doing).await? {
            Some(_) => Ok(()),
            None => Err(ManagementError::Refused {
                doing: doing.to_owned(),
                reason: format!("vhost `{}` or what this belongs to does not exist", self.vhost),
            }),
        }
    }

    pub(super) fn path(&self, kind: &str, names: &[&str]) -> String {
        let mut path = format!("/api/{kind}/{}", utf8_percent_encode(&self.vhost, SEGMENT));
        for name in names {
            path.push('/');
            path.extend(utf8_percent_encode(name, SEGMENT));
        }
        path
    }

    /// `None` stands for status 404, whose meaning depends on the request.
    ///
    /// RabbitMQ answers 500 when a list meets a queue that is just being created or deleted, so idempotent requests are
    /// repeated.
    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        doing: &str,
    ) -> Result<Option<T>, ManagementError> {
        let mut left = if method.is_idempotent() { REPEATS } else { 0 };
        loop {
            match self.send_once(method.clone(), path, body, doing).await {
                Err(ManagementError::Failing { .. }) if left > 0 => left -= 1,
                outcome => return outcome,
            }
            tokio::time::sleep(REPEAT_PAUSE).await;
        }
    }

    async fn send_once<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        doing: &str,
    ) -> Result<Option<T>, ManagementError> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method, &url).basic_auth(&self.user, Some(&self.password));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| self.no_answer(&error, &url))?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| self.no_answer(&error, &url))?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            _ if status.is_success() => {
                let json = if bytes.is_empty() { b"null".as_slice() } else { &bytes };
                let value = serde_json::from_slice(json);
                value.map(Some).map_err(|error| self.not_management(path, &error.to_string()))
            }
            _ => Err(self.refusal(status, &bytes, path, doing)),
        }
    }

    fn no_answer(&self, error: &reqwest::Error, url: &str) -> ManagementError {
        let (url, reason) = (url.to_owned(), innermost(error));
        if error.is_connect() {
            ManagementError::Unreachable { url: self.base.clone(), reason }
        } else if error.is_timeout() {
            ManagementError::Silent { url }
        } else {
            ManagementError::NotManagement { url: self.base.clone(), reason }
        }
    }

    pub(super) fn refusal(
        &self,
        status: StatusCode,
        body: &[u8],
        path: &str,
        doing: &str,
    ) -> ManagementError {
        let Ok(Answer { error, reason }) = serde_json::from_slice::<Answer>(body) else {
            return match status {
                _ if status.is_server_error() => ManagementError::Failing {
                    doing: doing.to_owned(),
                    status: status.as_u16(),
                    reason: "it gave no reason".to_owned(),
                },
                _ => self.not_management(path, &format!("status {}", status.as_u16())),
            };
        };
        let (user, doing) = (self.user.clone(), doing.to_owned());
        match status {
            // Only the spelling tells a failed login (`not_authorized`) from a missing permission (`not_authorised`).
            StatusCode::UNAUTHORIZED if error == "not_authorized" => {
                ManagementError::LoginRefused { url: self.base.clone(), user, reason }
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                ManagementError::NotAllowed { user, vhost: self.vhost.clone(), doing, reason }
            }
            _ if status.is_server_error() => {
                ManagementError::Failing { doing, status: status.as_u16(), reason }
            }
            _ => ManagementError::Refused { doing, reason: reason.trim().replace('\n', " ") },
        }
    }

    fn not_management(&self, path: &str, reason: &str) -> ManagementError {
        let path = path.trim_start_matches("/api/").trim_start_matches('/');
        ManagementError::NotManagement { url: format!("{}/api/{path}", self.base), reason: reason.to_owned() }
    }

    fn no_such_vhost(&self) -> ManagementError {
        ManagementError::NoSuchVhost { vhost: self.vhost.clone(), user: self.user.clone() }
    }
}

/// The body of an error response.
#[derive(Deserialize)]
struct Answer {
    error: String,
    #[serde(default, deserialize_with = "as_text")]
    reason: String,
}

/// Usually a string; for some errors of older brokers an object.
fn as_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    })
}

/// A response whose body is not needed.
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// reqwest's own message repeats the URL; the innermost cause is what helps a reader.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
