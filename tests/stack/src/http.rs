//! HTTP to what runs on this machine: probes, RabbitMQ's management API, Millrace's own API.

use std::time::Duration;

use reqwest::{Client, ClientBuilder};

/// A client past all proxies that gives each request this long. It has no certificates, which take a while to read.
pub fn client(deadline: Duration) -> reqwest::Result<Client> {
    builder(deadline).tls_certs_only([]).build()
}

/// The same with the certificates of this machine.
pub fn secure(deadline: Duration) -> reqwest::Result<Client> {
    builder(deadline).build()
}

fn builder(deadline: Duration) -> ClientBuilder {
    // reqwest is built without a provider of its own; when one is installed already, that one serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().timeout(deadline)
}
