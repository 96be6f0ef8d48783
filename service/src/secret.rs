//! Values that must not be printed: `Debug` and `Display` mask them, and only `expose` gives the text.

use std::fmt;
use std::net::IpAddr;

use url::Url;

/// A secret text, such as an API key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret with this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Must not reach logs, errors or metrics.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A URL that may contain a password. `Display` and `Debug` show it with the password masked.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    text: String,
    url: Url,
}

impl SecretUrl {
    /// Parses a URL with one of these schemes.
    pub fn parse(text: &str, schemes: &'static [&'static str]) -> Result<Self, InvalidUrl> {
        let url = Url::parse(text).map_err(|error| InvalidUrl::NotAUrl { reason: error.to_string() })?;
        if !schemes.contains(&url.scheme()) {
            return Err(InvalidUrl::Scheme { expected: schemes.join(":// or ") });
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// The whole URL including its password. Must not reach logs, errors or metrics.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The parsed URL. Its own `Display` and `Debug` print the password.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The decoded value of a query parameter, such as `sslmode`; the first one where there are several.
    #[must_use]
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Whether the URL names this machine: a loopback address, `localhost`, a path (a Unix socket) or no host.
    #[must_use]
    pub(crate) fn is_local(&self) -> bool {
        let host = self.url.host_str().filter(|host| !host.is_empty()).map(str::to_owned);
        let Some(host) = host.or_else(|| self.parameter("host")) else { return true };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        loopback || host == "localhost" || host.starts_with('/') || host.starts_with("%2F")
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        // Fails only for URLs that can't have a password.
        if shown.password().is_some() {
            let _ = shown.set_password(Some("masked"));
        }
        if self.parameter("password").is_some() || self.parameter("sslpassword").is_some() {
            shown.set_query(Some("masked"));
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a usable URL. The message never repeats the text, which may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// The text is not a URL.
    #[error("it is not a URL ({reason})")]
    NotAUrl {
        /// The parser's error.
        reason: String,
    },
    /// The URL has another scheme.
    #[error("it must begin with {expected}://")]
    Scheme {
        /// The accepted schemes, separated by `:// or `.
        expected: String,
    },
    /// The URL names a database on another machine and no `sslmode`.
    #[error(
        "its host is another machine, so it must say whether to encrypt: add ?sslmode=verify-full (or \
         ?sslmode=disable where the network is trusted)"
    )]
    SslModeMissing,
}
