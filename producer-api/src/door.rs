//! Opens and closes the door: puts its parts together and runs them.

use std::net::SocketAddr;
use std::sync::Arc;

use millrace_broker::{Link, LinkSettings, LinkStatus, Publisher};
use millrace_service::server::{Limits, Server};
use millrace_service::{AlertSink, Fatal, Readiness, process};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::http;
use crate::job_id::JobIds;
use crate::jobs::{Answers, Intake};
use crate::keys::ApiKeys;
use crate::ledger::Ledger;
use crate::readiness::{self, BROKER, DATABASE};
use crate::secrets::Secrets;
use crate::settings::DoorSettings;

/// What the door stands between. [`Door::open`] makes its own; a test may bring others.
#[derive(Debug)]
pub struct Parts {
    /// Hands jobs to the broker.
    pub publisher: Publisher,
    /// How the publisher's link is.
    pub broker: watch::Receiver<LinkStatus>,
    /// Reads the ledger.
    pub pool: PgPool,
}

/// An open door. It answers until it is closed.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    readiness: Readiness,
    stop: CancellationToken,
    server: JoinHandle<()>,
    ledger: Ledger,
    link: Option<Link>,
}

impl Door {
    /// Opens the door with these settings. Neither broker nor database need to be there yet: until they are, the door
    /// answers 503 and is not ready.
    pub async fn open(settings: DoorSettings, alerts: Arc<dyn AlertSink>) -> Result<Self, Fatal> {
        let name = format!("producer-api@{}", process::host_name());
        let connections = settings.reads.database_connections_max;
        let ledger = Ledger::open(&settings.database.database_url, &name, connections)?;
        let link = Link::open(LinkSettings::new(settings.broker.amqp_url.url().clone(), name));
        let publish = &settings.publish;
        let publisher = Publisher::open(&link, publish.publish_channels, publish.publish_deadline);
        let door = Self::start(settings, publisher, link.status(), ledger, alerts).await?;
        Ok(Self { link: Some(link), ..door })
    }

    /// Opens the door over parts that the caller has made, and will have to close.
    pub async fn open_with(
        settings: DoorSettings,
        parts: Parts,
        alerts: Arc<dyn AlertSink>,
    ) -> Result<Self, Fatal> {
        let Parts { publisher, broker, pool } = parts;
        Self::start(settings, publisher, broker, Ledger::over(pool), alerts).await
    }

    async fn start(
        settings: DoorSettings,
        publisher: Publisher,
        broker: watch::Receiver<LinkStatus>,
        ledger: Ledger,
        alerts: Arc<dyn AlertSink>,
    ) -> Result<Self, Fatal> {
        let api = &settings.api;
        let limits = Limits {
            header_read: api.api_header_deadline,
            connections: api.api_connections_max,
            drain: settings.drain.drain_deadline,
        };
        let server = Server::bind("API_LISTEN", api.api_listen, limits).await?;
        let address = server.address();
        let (readiness, stop) = (Readiness::of(&[BROKER, DATABASE]), CancellationToken::new());
        let router = routes(&settings, publisher, ledger.clone(), &readiness, alerts);
        tokio::spawn(readiness::follow_broker(broker, readiness.clone(), stop.clone()));
        tokio::spawn(readiness::ask_database(ledger.clone(), readiness.clone(), stop.clone()));
        let server = tokio::spawn(server.run(router, stop.clone()));
        tracing::info!(http.address = %address, "Jobs are taken at http://{address}/v1/jobs/{{command}}");
        Ok(Self { address, readiness, stop, server, ledger, link: None })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes nothing new, finishes what is in flight within the drain deadline, and closes the door's own connections.
    pub async fn close(self) {
        self.readiness.stopping();
        self.stop.cancel();
        if self.server.await.is_err() {
            tracing::error!("The HTTP server had ended because of a bug");
        }
        if let Some(link) = self.link {
            link.close().await;
            self.ledger.close().await;
        }
    }
}

/// The router over parts that are given.
pub(crate) fn routes(
    settings: &DoorSettings,
    publisher: Publisher,
    ledger: Ledger,
    readiness: &Readiness,
    alerts: Arc<dyn AlertSink>,
) -> axum::Router {
    let api = &settings.api;
    let ids = Arc::new(JobIds::new(api.job_id_secret.expose()));
    let keys = ApiKeys::development(api.dev_api_key.as_ref());
    if keys.is_empty() {
        tracing::warn!("DEV_API_KEY is not set, so every request will be answered 401");
    }
    let intake = Intake {
        ids: Arc::clone(&ids),
        publisher,
        secrets: Secrets::new(api.api_password_hashers),
        body_max_bytes: api.api_body_max_bytes,
        body_deadline: api.api_body_deadline,
    };
    let answers = Answers { ids, ledger };
    http::router(Arc::new(intake), Arc::new(answers), Arc::new(keys), readiness.clone(), alerts)
}
