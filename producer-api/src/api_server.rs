//! Starts and stops the API: puts its components together and runs them.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use millrace_broker::{Connection, ConnectionSettings, Publisher, ReplyQueue};
use millrace_faults::{Task, task};
use millrace_protocol::Catalog;
use millrace_service::server::{Limits as ServerLimits, Server};
use millrace_service::{AlertSink, Fatal, Readiness, process};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::documents::OpenApiDocument;
use crate::idempotency::IdempotencyCache;
use crate::job_id::JobIds;
use crate::jobs::JobReader;
use crate::jobs::intake::Intake;
use crate::jobs::watch::FlowWatcher;
use crate::keys::ApiKeys;
use crate::keys::store::{KEY_CONNECTIONS, KeyStore};
use crate::keys::usage_log::KeyUsageLog;
use crate::ledger::Ledger;
use crate::limits::{Allowed, Limits};
use crate::readiness::{self, BROKER, DATABASE};
use crate::routes::{self, AppState};
use crate::secrets::Secrets;
use crate::settings::{ApiSettings, HttpSettings};
use crate::{cors, database, http};

/// What the routes are built over. Each is cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Components {
    pub catalog: &'static Catalog,
    /// Publishes jobs, and returns once the broker has confirmed them.
    pub publisher: Publisher,
    /// Receives the replies of workers to jobs that a client waits for.
    pub replies: ReplyQueue,
    pub ledger: Ledger,
    pub keys: KeyStore,
    pub usage_log: KeyUsageLog,
    pub watcher: FlowWatcher,
    pub ids: Arc<JobIds>,
}

/// A running API. It serves requests until it is stopped.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
    readiness: Readiness,
    stop: CancellationToken,
    /// All that run until the API stops, and none of them ends before.
    tasks: JoinSet<()>,
    components: Components,
    connections: [Connection; 2],
}

impl ApiServer {
    /// Starts the API of the system with this catalog: its commands can be posted, and its domains' rows are read.
    ///
    /// Neither broker nor database must be up: until they are, requests are answered 503, and `/readyz` says so.
    ///
    /// # Errors
    ///
    /// If the address can't be listened on, or a setting contradicts itself, such as an unknown parameter in
    /// `DATABASE_URL`.
    pub async fn start(
        settings: ApiSettings,
        catalog: &'static Catalog,
        alerts: Arc<dyn AlertSink>,
    ) -> Result<Self, Fatal> {
        let http = &settings.http;
        let limits = ServerLimits {
            header_read: http.api_header_deadline,
            connections: http.api_connections_max,
            drain: settings.drain.drain_deadline,
        };
        let server = Server::bind("API_LISTEN", http.api_listen, limits).await?;
        let address = server.address();
        let name = format!("producer-api@{}", process::host_name());
        let connection = |purpose: &str| {
            let url = settings.broker.amqp_url.url().clone();
            Connection::open(ConnectionSettings::new(url, format!("{name} ({purpose})")))
        };
        // A broker that is short of memory blocks connections that publish, and replies on the same connection with it.
        let connections = [connection("publishes"), connection("receives replies")];
        let components = Components::over(catalog, &connections, &settings, &name)?;
        let (readiness, stop) = (Readiness::of(&[BROKER, DATABASE]), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let broker = readiness::follow_broker(connections[0].status(), readiness.clone(), stop.clone());
        tasks.spawn(task(Task::BrokerWatch, broker));
        let database = readiness::follow_database(components.ledger.clone(), readiness.clone(), stop.clone());
        tasks.spawn(task(Task::DatabaseWatch, database));
        tasks.spawn(task(Task::FlowWatcher, components.watcher.clone().run(stop.clone())));
        let (ids, publisher) = (Arc::clone(&components.ids), components.publisher.clone());
        let usage_log = components.usage_log.clone();
        let usage_log = usage_log.run(http.api_key_use_every, ids, publisher, stop.clone());
        tasks.spawn(task(Task::KeyUsageLog, usage_log));
        let router = router(&settings, components.clone(), &readiness, alerts, &stop);
        tasks.spawn(task(Task::HttpServer, server.run(router, stop.clone())));
        tracing::info!(http.address = %address, "Accepts jobs at http://{address}/v1/jobs/{{command}}");
        Ok(Self { address, readiness, stop, tasks, components, connections })
    }

    /// Waits for a task that ends although nobody asked it to, which is a bug; without it the API would only seem to work.
    pub async fn broke_down(&mut self) -> Fatal {
        match self.tasks.join_next().await {
            Some(Err(error)) => Fatal::because("A task of the API broke down", error),
            Some(Ok(())) | None => Fatal::failed("A task of the API has ended before the API was to stop"),
        }
    }

    /// The address and port that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no new request, finishes those in flight within the drain deadline, and closes all connections.
    pub async fn stop(mut self) {
        self.readiness.stopping();
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "A task of the API broke down");
            }
        }
        for connection in self.connections {
            connection.close().await;
        }
        tokio::join!(self.components.ledger.close(), self.components.keys.close());
    }
}

impl Components {
    pub(crate) fn over(
        catalog: &'static Catalog,
        connections: &[Connection; 2],
        settings: &ApiSettings,
        name: &str,
    ) -> Result<Self, Fatal> {
        let [publishing, receiving] = connections;
        let pool = |connections| database::pool(&settings.database.database_url, name, connections);
        let ledger = Ledger::over(pool(settings.reads.database_connections_max)?, catalog);
        let publish = &settings.publish;
        Ok(Self {
            catalog,
            publisher: Publisher::open(publishing, publish.publish_channels, publish.publish_deadline),
            replies: ReplyQueue::open(receiving),
            watcher: FlowWatcher::over(ledger.clone()),
            ledger,
            keys: KeyStore::over(pool(KEY_CONNECTIONS)?),
            usage_log: KeyUsageLog::default(),
            ids: Arc::new(JobIds::new(settings.http.job_id_secret.expose())),
        })
    }
}

/// The router over these components.
pub(crate) fn router(
    settings: &ApiSettings,
    components: Components,
    readiness: &Readiness,
    alerts: Arc<dyn AlertSink>,
    stop: &CancellationToken,
) -> axum::Router {
    let http = &settings.http;
    let Components { catalog, publisher, replies, ledger, keys, usage_log, watcher, ids } = components;
    let intake = Intake {
        catalog,
        ids: Arc::clone(&ids),
        publisher,
        replies,
        ledger: ledger.clone(),
        secrets: Secrets::new(http.api_password_hashers, http.job_id_secret.expose()),
        cache: IdempotencyCache::default(),
        body_max_bytes: http.api_body_max_bytes,
        body_deadline: http.api_body_deadline,
    };
    let reader = JobReader { catalog, ids, ledger, watcher, stop: stop.clone() };
    let admission = Admission {
        keys: ApiKeys::new(http.dev_api_key.as_ref(), keys, usage_log),
        limits: Limits::new(allowed(http)),
    };
    let state = AppState {
        intake: Arc::new(intake),
        reader: Arc::new(reader),
        document: OpenApiDocument::of(catalog),
    };
    let routes = routes::router(routes::table(readiness), state, Arc::new(admission));
    let surrounded = http::surrounded(routes, alerts);
    match cors::layer(&settings.http.api_cors_origins) {
        Some(cors) => surrounded.layer(cors),
        None => surrounded,
    }
}

fn allowed(http: &HttpSettings) -> Allowed {
    Allowed {
        in_flight: http.api_in_flight_max,
        client_in_flight: http.api_client_in_flight_max,
        // Parsed as at least 1.
        client_per_second: NonZeroU32::new(http.api_client_rate).unwrap_or(NonZeroU32::MIN),
    }
}
