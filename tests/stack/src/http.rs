//! HTTP to what runs on this machine: probes, RabbitMQ's management API, Millrace's own API.

use std::time::Duration;

/// A client past all proxies that gives each request this long.
///
/// # Errors
///
/// When TLS cannot be set up.
pub fn client(deadline: Duration) -> reqwest::Result<reqwest::Client> {
    // reqwest is built without a provider of its own; when one is installed already, that one serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(deadline).build()
}
