//! `ops probe`: one GET request, for health checks in containers without another HTTP client.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use millrace_service::{Fatal, SecretUrl};

/// Sends one GET request; exits with 0 when the response's status is 2xx, else with 1
#[derive(Args)]
pub struct Probe {
    /// The URL, such as http://127.0.0.1:8080/readyz
    #[arg(value_parser = url)]
    url: SecretUrl,

    /// Deadline for the response, in milliseconds (1 to 600000)
    #[arg(
        long, env = "PROBE_DEADLINE_MS", value_name = "MILLISECONDS", default_value = "3000",
        value_parser = millrace_service::settings::millis::<1, 600_000>
    )]
    deadline_ms: Duration,
}

fn url(text: &str) -> Result<SecretUrl, millrace_service::InvalidUrl> {
    SecretUrl::parse(text, &["http"])
}

impl Probe {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        let Self { url, deadline_ms } = self;
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A probe stays on this machine: no proxy, and no certificates, which a small image may not have.
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(deadline_ms).build();
        let response = match client {
            Ok(client) => client.get(url.url().clone()).send().await,
            Err(error) => Err(error),
        };
        let response =
            response.map_err(|error| Fatal::because(format!("{url} did not answer"), error.without_url()))?;
        let status = response.status();
        if status.is_success() {
            return Ok(ExitCode::SUCCESS);
        }
        let body = response.text().await.unwrap_or_default();
        Err(Fatal::failed(format!("{url} answered {status}: {}", body.trim())))
    }
}
