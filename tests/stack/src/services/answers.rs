//! Waiting until the servers really answer: an AMQP session, the management API, a query.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use lapin::{Connection, ConnectionProperties};
use sqlx::{ConnectOptions, Connection as _};

use super::{ServicesError, management, separate, without_login};

const PAUSE: Duration = Duration::from_millis(100);
pub(super) const ONE_TRY: Duration = Duration::from_secs(5);

/// Where the servers are.
#[derive(Debug, Clone)]
pub(super) struct Urls {
    pub amqp: String,
    pub management: String,
    pub database: String,
}

/// What they said they are.
#[derive(Debug)]
pub(super) struct Versions {
    pub rabbitmq: String,
    pub postgres: String,
}

/// Drives a future to its end from any thread, inside or outside of a runtime, on a runtime of its own.
pub(super) fn block_on<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let drive = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime needs a few file descriptors and no more").block_on(work)
    };
    thread::scope(|scope| scope.spawn(drive).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Asks until each has answered. `alive` is asked in between, so that a server that has ended is not waited for.
pub(super) fn wait(
    urls: &Urls,
    deadline: Duration,
    alive: impl FnMut() -> Result<(), ServicesError> + Send,
) -> Result<Versions, ServicesError> {
    block_on(answer(urls, deadline, alive))
}

/// The same for those who are in a runtime already.
pub(super) async fn answer(
    urls: &Urls,
    deadline: Duration,
    mut alive: impl FnMut() -> Result<(), ServicesError> + Send,
) -> Result<Versions, ServicesError> {
    let until = Instant::now() + deadline;
    let Urls { amqp, management, database } = urls;
    let postgres = until_answer(("PostgreSQL", database), until, &mut alive, postgres_version).await?;
    let console = ("RabbitMQ's management API", management.as_str());
    let rabbitmq = until_answer(console, until, &mut alive, rabbitmq_version).await?;
    until_answer(("RabbitMQ", amqp), until, &mut alive, amqp_session).await?;
    Ok(Versions { rabbitmq, postgres })
}

async fn until_answer<'a, T>(
    (server, url): (&'static str, &'a str),
    until: Instant,
    alive: &mut impl FnMut() -> Result<(), ServicesError>,
    ask: impl AsyncFn(&'a str) -> Result<T, String>,
) -> Result<T, ServicesError> {
    loop {
        alive()?;
        let reason = match tokio::time::timeout(ONE_TRY, ask(url)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(reason)) => reason,
            Err(_) => format!("no answer within {} s", ONE_TRY.as_secs()),
        };
        if Instant::now() >= until {
            return Err(ServicesError::Silent { server, place: without_login(url), reason });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Opens a session with the URL's own user and vhost, as any client will.
pub(super) async fn amqp_session(url: &str) -> Result<(), String> {
    let connection =
        Connection::connect(url, ConnectionProperties::default()).await.map_err(|error| error.to_string())?;
    connection.close(200, "it answers".into()).await.map_err(|error| error.to_string())
}

async fn rabbitmq_version(management_url: &str) -> Result<String, String> {
    let overview = management::get(management_url, "overview").await.map_err(|error| error.to_string())?;
    overview["rabbitmq_version"].as_str().map(str::to_owned).ok_or_else(|| "it has no version".to_owned())
}

pub(super) async fn postgres_version(url: &str) -> Result<String, String> {
    let ask = async {
        let mut connection =
            url.parse::<sqlx::postgres::PgConnectOptions>()?.disable_statement_logging().connect().await?;
        let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(version)
    };
    let version = ask.await.map_err(|error| error.to_string())?;
    // Packagers append their own version in brackets.
    Ok(version.split(' ').next().unwrap_or_default().to_owned())
}

/// Creates the database that the servers' URL names, through the one that every cluster has.
pub(super) fn create_database(maintenance_url: &str, name: &str) -> Result<(), ServicesError> {
    let create = format!("CREATE DATABASE {name}");
    block_on(separate::in_database(maintenance_url, &create))
}
