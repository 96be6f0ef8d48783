//! Opens and closes the door: puts its parts together and runs them.

use std::net::SocketAddr;
use std::sync::Arc;

use millrace_broker::{Connection, ConnectionSettings, Publisher, ReplyQueue};
use millrace_service::server::{Limits as ServerLimits, Server};
use millrace_service::{AlertSink, Fatal, Readiness, process};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::idempotency::Uses;
use crate::job_id::JobIds;
use crate::jobs::Answers;
use crate::jobs::intake::Intake;
use crate::jobs::watch::Watch;
use crate::keys::{ApiKeys, KEY_CONNECTIONS, KeyStore, KeyUses};
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::readiness::{self, BROKER, DATABASE};
use crate::reading;
use crate::routes::{self, Desk};
use crate::secrets::Secrets;
use crate::settings::DoorSettings;
use crate::{cors, http};

/// What the door stands between.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// Hands jobs to the broker.
    pub publisher: Publisher,
    /// Gets answers of workers.
    pub replies: ReplyQueue,
    /// Reads the ledger.
    pub ledger: Ledger,
    /// Reads API keys.
    pub keys: KeyStore,
    /// Collects when keys were used.
    pub uses: KeyUses,
    /// Follows jobs that are waited for.
    pub watch: Watch,
    /// Gives jobs their ids.
    pub ids: Arc<JobIds>,
}

/// An open door. It answers until it is closed.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    readiness: Readiness,
    stop: CancellationToken,
    server: JoinHandle<()>,
    /// Tells when keys were used, a last time when the door closes.
    uses: JoinHandle<()>,
    parts: Parts,
    connections: [Connection; 2],
}

impl Door {
    /// Opens the door with these settings. Neither broker nor database need to be there yet: until they are, the door
    /// answers 503 and is not ready.
    pub async fn open(settings: DoorSettings, alerts: Arc<dyn AlertSink>) -> Result<Self, Fatal> {
        let api = &settings.api;
        let limits = ServerLimits {
            header_read: api.api_header_deadline,
            connections: api.api_connections_max,
            drain: settings.drain.drain_deadline,
        };
        let server = Server::bind("API_LISTEN", api.api_listen, limits).await?;
        let address = server.address();
        let name = format!("producer-api@{}", process::host_name());
        let connection = |purpose: &str| {
            let url = settings.broker.amqp_url.url().clone();
            Connection::open(ConnectionSettings::new(url, format!("{name} ({purpose})")))
        };
        // A broker that is short of memory stops those that publish, answers on the same connection included.
        let connections = [connection("publishes"), connection("receives replies")];
        let parts = Parts::over(&connections, &settings, &name)?;
        let (readiness, stop) = (Readiness::of(&[BROKER, DATABASE]), CancellationToken::new());
        tokio::spawn(readiness::follow_broker(connections[0].status(), readiness.clone(), stop.clone()));
        tokio::spawn(readiness::ask_database(parts.ledger.clone(), readiness.clone(), stop.clone()));
        tokio::spawn(parts.watch.clone().run(stop.clone()));
        let (ids, publisher) = (Arc::clone(&parts.ids), parts.publisher.clone());
        let uses = parts.uses.clone().tell(api.api_key_use_every, ids, publisher, stop.clone());
        let uses = tokio::spawn(uses);
        let router = router(&settings, parts.clone(), &readiness, alerts, &stop);
        let server = tokio::spawn(server.run(router, stop.clone()));
        tracing::info!(http.address = %address, "Jobs are taken at http://{address}/v1/jobs/{{command}}");
        Ok(Self { address, readiness, stop, server, uses, parts, connections })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes nothing new, finishes what is in flight within the drain deadline, and closes the door's connections.
    pub async fn close(self) {
        self.readiness.stopping();
        self.stop.cancel();
        if self.server.await.is_err() || self.uses.await.is_err() {
            tracing::error!("A part of the door had ended because of a bug");
        }
        for connection in self.connections {
            connection.close().await;
        }
        tokio::join!(self.parts.ledger.close(), self.parts.keys.close());
    }
}

impl Parts {
    pub(crate) fn over(
        connections: &[Connection; 2],
        settings: &DoorSettings,
        name: &str,
    ) -> Result<Self, Fatal> {
        let [publishing, hearing] = connections;
        let pool = |connections| reading::pool(&settings.database.database_url, name, connections);
        let ledger = Ledger::over(pool(settings.reads.database_connections_max)?);
        let publish = &settings.publish;
        Ok(Self {
            publisher: Publisher::open(publishing, publish.publish_channels, publish.publish_deadline),
            replies: ReplyQueue::open(hearing),
            watch: Watch::over(ledger.clone()),
            ledger,
            keys: KeyStore::over(pool(KEY_CONNECTIONS)?),
            uses: KeyUses::default(),
            ids: Arc::new(JobIds::new(settings.api.job_id_secret.expose())),
        })
    }
}

/// The router over these parts.
pub(crate) fn router(
    settings: &DoorSettings,
    parts: Parts,
    readiness: &Readiness,
    alerts: Arc<dyn AlertSink>,
    stop: &CancellationToken,
) -> axum::Router {
    let api = &settings.api;
    let intake = Intake {
        ids: Arc::clone(&parts.ids),
        publisher: parts.publisher,
        replies: parts.replies,
        ledger: parts.ledger.clone(),
        secrets: Secrets::new(api.api_password_hashers, api.job_id_secret.expose()),
        uses: Uses::default(),
        body_max_bytes: api.api_body_max_bytes,
        body_deadline: api.api_body_deadline,
    };
    let answers = Answers { ids: parts.ids, ledger: parts.ledger, watch: parts.watch, stop: stop.clone() };
    let admission = Admission {
        keys: ApiKeys::new(api.dev_api_key.as_ref(), parts.keys, parts.uses),
        limits: Limits::new(api.allowed()),
    };
    let desk = Desk { intake: Arc::new(intake), answers: Arc::new(answers) };
    let routes = routes::router(routes::table(readiness), desk, Arc::new(admission));
    let surrounded = http::surrounded(routes, alerts);
    match cors::layer(&api.api_cors_origins) {
        Some(cors) => surrounded.layer(cors),
        None => surrounded,
    }
}
