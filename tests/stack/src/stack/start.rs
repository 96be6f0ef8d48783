//! Starting all of it: servers, tables and queues, proxies, API processes and workers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::launch::{Launcher, Secrets, free_address};
use super::program::Log;
use super::proxy::Proxy;
use super::servers::Servers;
use super::{StackError, Units};
use crate::services::Addresses;
use crate::services::watchdog::Watchdog;

const READY_DEADLINE: Duration = Duration::from_secs(60);

/// What a stack is to be.
#[derive(Debug, Clone)]
pub struct StackSettings {
    pub programs: PathBuf,
    pub logs: PathBuf,
    /// Domains that have a worker.
    pub domains: Vec<String>,
    /// How many processes serve the API.
    pub apis: usize,
    /// How many workers each domain has.
    pub workers: usize,
    /// What every retry delay is multiplied by.
    pub retry_scale: f64,
    /// Given to every program, on top of what it needs.
    pub environment: Vec<(String, String)>,
}

/// How the programs reach the servers: each proxy can be broken by itself.
#[derive(Debug)]
pub struct Reach {
    /// From the API processes to the broker.
    pub api_broker: Proxy,
    /// From the workers to the broker.
    pub worker_broker: Proxy,
    /// From the API processes to the database.
    pub api_database: Proxy,
    /// From the workers to the database.
    pub worker_database: Proxy,
}

/// The running system. Fields are public so that several can be borrowed at once; dropping it ends everything.
#[derive(Debug)]
pub struct Stack {
    pub units: Units,
    /// The proxies between programs and servers.
    pub reach: Reach,
    /// Broker and database; after the programs, which need them.
    pub servers: Servers,
    /// The key that every API process accepts.
    pub api_key: String,
    preparing: Launcher,
}

impl Stack {
    /// Starts it and waits until every program says that it is ready.
    ///
    /// # Errors
    ///
    /// When something of it does not start; the error has the end of its log.
    pub async fn start(settings: &StackSettings) -> Result<Self, StackError> {
        std::fs::create_dir_all(&settings.logs)?;
        let servers = Servers::start().await?;
        let launcher = Launcher {
            programs: settings.programs.clone(),
            log: Log::Files(settings.logs.clone()),
            environment: settings.environment.clone(),
            watchdog: Arc::new(Watchdog::start()?),
        };
        let mut preparing = launcher.clone();
        preparing.environment.push(("RETRY_SCALE".to_owned(), settings.retry_scale.to_string()));
        let addresses = servers.addresses();
        preparing.prepare(&addresses)?;
        let reach = Reach {
            api_broker: in_front_of(&servers.amqp_url).await?,
            worker_broker: in_front_of(&servers.amqp_url).await?,
            api_database: in_front_of(&servers.database_url).await?,
            worker_database: in_front_of(&servers.database_url).await?,
        };
        let through = |broker: &Proxy, database: &Proxy| {
            Ok::<_, StackError>(Addresses {
                amqp_url: through(broker.address(), &addresses.amqp_url)?,
                database_url: through(database.address(), &addresses.database_url)?,
                ..addresses.clone()
            })
        };
        let secrets = Secrets::random();
        let apis = (0..settings.apis).map(|_| free_address()).collect::<Result<Vec<_>, _>>()?;
        let for_apis = through(&reach.api_broker, &reach.api_database)?;
        let for_workers = through(&reach.worker_broker, &reach.worker_database)?;
        let workers = (&settings.domains[..], settings.workers);
        let units = launcher.system(&apis, workers, &secrets, [&for_apis, &for_workers])?;
        units.until_ready(READY_DEADLINE).await?;
        Ok(Self { units, reach, servers, api_key: secrets.api_key, preparing })
    }

    /// Creates whatever is missing of tables, exchanges, queues and bindings.
    ///
    /// # Errors
    ///
    /// With what `ops` said, when it could not.
    pub fn prepare(&self) -> Result<(), StackError> {
        self.preparing.prepare(&self.servers.addresses())
    }

    /// Waits until every program is ready.
    pub async fn until_ready(&self) -> Result<(), StackError> {
        self.units.until_ready(READY_DEADLINE).await
    }

    /// Starts every worker that was stopped, and waits until all programs are ready.
    pub async fn start_workers(&self) -> Result<(), StackError> {
        self.units.start_workers().await?;
        self.until_ready().await
    }
}

async fn in_front_of(url: &str) -> Result<Proxy, StackError> {
    let parsed = Url::parse(url).map_err(|error| StackError::new("a server's URL", error))?;
    let addresses = parsed.socket_addrs(|| None)?;
    let target = addresses.first().copied();
    Ok(Proxy::start(target.ok_or_else(|| StackError::new("a server's URL", "it names no address"))?).await?)
}

/// The URL, with the proxy's address in place of the server's.
fn through(proxy: SocketAddr, url: &str) -> Result<String, StackError> {
    let bad = || StackError::new("a server's URL", "its address cannot be replaced");
    let mut url = Url::parse(url).map_err(|error| StackError::new("a server's URL", error))?;
    url.set_ip_host(proxy.ip()).map_err(|()| bad())?;
    url.set_port(Some(proxy.port())).map_err(|()| bad())?;
    Ok(url.to_string())
}
