//! A world of one's own for each test: a vhost with the topology, a migrated database, an API and workers in the test's process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use millrace_broker::topology::{self, Management};
use millrace_protocol::ledger::{Emitted, Status};
use millrace_protocol::topology::Topology;
use millrace_protocol::topology::dead_queue;
use millrace_protocol::{Catalog, DomainName, Entry};
use millrace_runtime::Store;
use millrace_service::LogAlerts;
use producer_api::{ApiServer, ApiSettings};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use url::Url;
use uuid::Uuid;

use crate::http;
use crate::services::Services;
use crate::services::separate::Separate;
use crate::stack::Addresses;
use crate::system::System;

/// The development key of every world's API.
pub const API_KEY: &str = "a-key-for-tests-only";
const JOB_ID_SECRET: &str = "a secret for tests only, long enough to be one";
/// Retries wait a hundredth of their time: quick, and still long enough for what they wait for to happen.
const RETRY_SCALE: f64 = 0.01;
/// For messages that are meant to fail to the last attempt.
const HURRIED_RETRY_SCALE: f64 = 0.0001;
/// How long a test waits for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One test's world. End it with [`World::finish`], which checks that nothing is left lying about.
pub struct World {
    system: System,
    /// With user, password and this world's vhost.
    pub amqp_url: String,
    /// This world's database.
    pub database_url: String,
    /// Connections to this world's database.
    pub database: PgPool,
    /// Speaks AMQP as any client may.
    pub channel: lapin::Channel,
    /// The management API, in this world's vhost.
    pub management: Management,
    /// Speaks HTTP as any client may.
    pub http: reqwest::Client,
    api: Option<ApiServer>,
    workers: Vec<Worker>,
    claimed: BTreeMap<String, u32>,
    /// What was applied.
    pub topology: Topology,
    own: Separate,
    finished: bool,
}

/// A worker that runs in this process.
pub struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    /// Stops it gracefully.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("the worker must not panic");
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers by lower case name.
    pub headers: BTreeMap<String, String>,
    /// The body, `null` where it is not JSON.
    pub json: Value,
}

static WORLDS: AtomicU32 = AtomicU32::new(0);

impl World {
    /// A world with the topology and the tables of this repository, without API and workers.
    pub async fn empty() -> Self {
        Self::of(System::of_this_repository()).await
    }

    /// The same with only these domains: those whose workers the test starts, and those whose queues it looks into. Whatever
    /// other domain there is or will be, it has no queue here, and no message is left in it.
    pub async fn of_domains(domains: &[DomainName]) -> Self {
        Self::of(System::of_this_repository().only(domains)).await
    }

    /// The same, and all attempts of a message are over within a moment.
    pub async fn hurried(domains: &[DomainName]) -> Self {
        Self::with_retry_scale(System::of_this_repository().only(domains), HURRIED_RETRY_SCALE).await
    }

    /// A world of any system.
    pub async fn of(system: System) -> Self {
        Self::with_retry_scale(system, RETRY_SCALE).await
    }

    async fn with_retry_scale(system: System, retry_scale: f64) -> Self {
        log();
        let services = Services::shared();
        let name = format!("t{}-{}", std::process::id(), WORLDS.fetch_add(1, Ordering::Relaxed));
        let own = services.separate(&name).await.expect("the users may create vhosts and databases");
        let Addresses { amqp_url, database_url, .. } = own.addresses.clone();
        let http = http::client(PATIENCE).expect("a client without any settings of note");
        let management_url = Url::parse(&services.management_url).expect("the services give a URL");
        let management = Management::new(&management_url, &name).expect("a URL of the management API");
        let topology = Topology::of(system.catalog, retry_scale);
        topology::apply(&management, &topology, |_| {}).await.expect("a new vhost takes the topology");
        let connection = lapin::Connection::connect(&amqp_url, lapin::ConnectionProperties::default());
        let channel = connection.await.expect("the broker is up").create_channel().await.expect("a channel");
        let database =
            PgPoolOptions::new().max_connections(3).connect(&database_url).await.expect("a database");
        system.migrate(&database).await;
        Self {
            system,
            amqp_url,
            database_url,
            database,
            channel,
            management,
            http,
            api: None,
            workers: Vec::new(),
            claimed: BTreeMap::new(),
            topology,
            own,
            finished: false,
        }
    }

    /// The domains of this world and their messages.
    pub fn catalog(&self) -> &'static Catalog {
        self.system.catalog
    }

    /// The settings of this world's API. Another API process with the same settings is a second one of the same system.
    pub fn api_settings(&self) -> ApiSettings {
        ApiSettings::local(&self.amqp_url, &self.database_url, JOB_ID_SECRET, API_KEY).expect("good settings")
    }

    /// Starts the API.
    pub async fn start_api(&mut self) -> &mut Self {
        let (settings, catalog) = (self.api_settings(), self.system.catalog);
        self.api = Some(ApiServer::start(settings, catalog, Arc::new(LogAlerts)).await.expect("a free port"));
        self.until("the API to be ready", async |world| world.get("/readyz").await.status == 200).await;
        self
    }

    /// Starts a worker that lives until the world ends.
    pub fn start_worker<D: Store>(&mut self, flags: &[&str]) {
        let worker = self.worker::<D>(flags);
        self.workers.push(worker);
    }

    /// Starts a worker that the test stops itself.
    pub fn worker<D: Store>(&self, flags: &[&str]) -> Worker {
        let own = [format!("--amqp-url={}", self.amqp_url), format!("--database-url={}", self.database_url)];
        let flags = ["worker"].into_iter().chain(own.iter().map(String::as_str)).chain(flags.iter().copied());
        let worker = millrace_runtime::Worker::<D>::parse(self.system.catalog, flags.map(Into::into))
            .expect("good settings");
        let stop = CancellationToken::new();
        let running = worker.run(self.system.catalog, stop.clone());
        let task = tokio::spawn(async move { running.await.expect("the worker runs") });
        Worker { stop, task }
    }

    /// Posts a job and gives back the answer, whatever it is.
    pub async fn post(&self, command: &str, body: &Value) -> Answer {
        self.post_raw(command, &[("content-type", "application/json")], body.to_string()).await
    }

    /// Posts bytes as a job.
    pub async fn post_raw(
        &self,
        command: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut request = self.http.post(self.url(&format!("/v1/jobs/{command}"))).body(body);
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.bearer_auth(API_KEY);
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        answer(request.send().await.expect("the API answers")).await
    }

    /// Gets a path, with the development key.
    pub async fn get(&self, path: &str) -> Answer {
        let request = self.http.get(self.url(path)).bearer_auth(API_KEY);
        answer(request.send().await.expect("the API answers")).await
    }

    /// Where the API answers this path.
    pub fn url(&self, path: &str) -> String {
        let address = self.api.as_ref().expect("the API is started").address();
        format!("http://{address}{path}")
    }

    /// Posts a job that must be accepted, and gives back its id.
    pub async fn job(&self, command: &str, body: &Value) -> Uuid {
        let answer = self.post(command, body).await;
        assert_eq!(answer.status, 202, "{command} must be accepted: {}", answer.json);
        answer.json["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a job id")
    }

    /// Waits until a job's flow is settled or stuck, and gives back the job's view.
    pub async fn outcome(&self, job: Uuid) -> Value {
        let started = Instant::now();
        loop {
            let view = self.get(&format!("/v1/jobs/{job}")).await.json;
            if view["flow"]["state"] != "running" {
                return view;
            }
            if started.elapsed() > PATIENCE {
                let trail = self.get(&format!("/v1/jobs/{job}/trail")).await.json;
                panic!("waited {PATIENCE:?} for job {job} to settle: {trail:#}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a job has this status and nothing of it is under way any more.
    pub async fn expect(&self, job: Uuid, status: &str) -> Value {
        let view = self.outcome(job).await;
        assert_eq!(view["status"], status, "of job {view:#}");
        view
    }

    /// Waits for a condition.
    pub async fn until(&self, what: &str, condition: impl AsyncFn(&Self) -> bool) {
        self.until_some(what, async |world| condition(world).await.then_some(())).await;
    }

    /// Waits for a value.
    pub async fn until_some<T>(&self, what: &str, found: impl AsyncFn(&Self) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(value) = found(self).await {
                return value;
            }
            assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How many messages lie ready in a queue.
    pub async fn depth(&self, queue: &str) -> u32 {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let state = self.channel.queue_declare(queue.into(), passive, FieldTable::default()).await;
        state.expect("the topology has the queue").message_count()
    }

    /// Waits for this many dead letters of a domain, takes them out and gives them back. A test that expects dead
    /// letters must take them.
    pub async fn dead_letters(&mut self, domain: DomainName, count: u32) -> Vec<lapin::message::Delivery> {
        let queue = dead_queue(domain);
        self.until(&format!("{count} dead letters in {queue}"), async |world| {
            world.depth(&queue).await >= count
        })
        .await;
        let mut letters = Vec::new();
        while let Some(letter) = self
            .channel
            .basic_get(queue.as_str().into(), BasicGetOptions { no_ack: true })
            .await
            .expect("the queue can be read")
        {
            letters.push(letter.delivery);
        }
        assert_eq!(letters.len(), count as usize, "dead letters in {queue}");
        letters
    }

    /// Allows a queue to hold this many messages at the end.
    pub fn claim(&mut self, queue: &str, count: u32) {
        self.claimed.insert(queue.to_owned(), count);
    }

    /// One number from the database.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.database).await.expect("a query of the test's own")
    }

    /// Stops everybody, checks that every queue is empty but for what was claimed and that the system's
    /// invariants hold, and removes the world.
    pub async fn finish(mut self) {
        // A queue is empty, too, while its last message is being worked, so what the ledger still expects comes first.
        let claimed = self.claimed.values().sum::<u32>() as usize;
        self.until("every follow-up to be handled", async |world| world.unhandled().await <= claimed).await;
        let queues = self.topology.queues.clone();
        for queue in &queues {
            let claimed = self.claimed.get(queue).copied().unwrap_or(0);
            self.until(&format!("{claimed} messages in {queue}"), async |world| {
                world.depth(queue).await == claimed
            })
            .await;
        }
        for worker in self.workers.drain(..) {
            worker.stop().await;
        }
        if let Some(api) = self.api.take() {
            api.stop().await;
        }
        self.assert_invariants().await;
        self.finished = true;
        self.remove().await;
    }

    /// How many messages were sent out, are delivered to a domain, and have not come to an end there.
    async fn unhandled(&self) -> usize {
        let rows: Vec<(String, Uuid, String, Option<String>)> = sqlx::query_as(include_str!("handled.sql"))
            .fetch_all(&self.database)
            .await
            .expect("a query of our own");
        let ended = |status: &str| Status::named(status) != Some(Status::Retrying);
        let ends: BTreeSet<(&str, Uuid)> = rows
            .iter()
            .filter(|(_, _, status, _)| ended(status))
            .map(|(handler, id, _, _)| (handler.as_str(), *id))
            .collect();
        let sent = rows.iter().filter_map(|(_, _, _, emitted)| emitted.as_deref());
        let sent =
            sent.flat_map(|emitted| serde_json::from_str::<Vec<Emitted>>(emitted).expect("the ledger's own"));
        let expected = sent.flat_map(|sent| {
            let handlers = self.system.catalog.find(&sent.message_type).into_iter().flat_map(Entry::handlers);
            handlers.map(move |handler| (handler.as_str(), sent.id.0))
        });
        expected.filter(|expected| !ends.contains(expected)).count()
    }

    async fn assert_invariants(&self) {
        for (meaning, query) in self.system.invariants {
            assert_eq!(self.count(query).await, 0, "{meaning}");
        }
    }

    async fn remove(&self) {
        self.database.close().await;
        self.own.remove().await.expect("the world's own vhost and database");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        assert!(
            self.finished || std::thread::panicking(),
            "end a world with finish(), which checks that nothing is left lying about"
        );
    }
}

/// What the parts log belongs to the test's output: `LOG_FILTER=debug` shows more of it.
fn log() {
    let filter = EnvFilter::try_from_env("LOG_FILTER").unwrap_or_else(|_| EnvFilter::new("info,lapin=error"));
    // Every world asks, and the first one starts it.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
}

/// Reads an HTTP answer to its end.
pub async fn answer(response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers =
        response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let body = response.bytes().await.expect("a whole answer");
    Answer { status, headers, json: serde_json::from_slice(&body).unwrap_or(Value::Null) }
}
