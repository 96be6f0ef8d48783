//! Starting all of it: servers, tables and queues, proxies, API processes and workers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use url::Url;

use super::StackError;
use super::launch::{API, Addresses, Launcher, Secrets, free_address};
use super::program::{Log, Program};
use super::proxy::Proxy;
use super::servers::Servers;
use super::signal::Signal;
use crate::http;
use crate::services::watchdog::Watchdog;

const READY_DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
const ONE_TRY: Duration = Duration::from_secs(2);

/// What a stack is to be.
#[derive(Debug, Clone)]
pub struct StackSettings {
    /// Where the programs are.
    pub programs: PathBuf,
    /// Where their logs go.
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

/// What a program does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Serves the API.
    Api,
    /// Processes the messages of this domain.
    Worker(String),
}

/// One program of the stack. Whoever does something to it holds its lock until that is over.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Such as `orders-worker-1`.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Where it answers probes, and the API its clients.
    pub listens: SocketAddr,
    /// The process.
    pub program: Arc<Mutex<Program>>,
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
    /// API processes first, then workers.
    pub units: Vec<Unit>,
    /// The proxies between programs and servers.
    pub reach: Reach,
    /// Ends the programs when the stack goes, however it goes.
    pub watchdog: Arc<Watchdog>,
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
        let watchdog = Arc::new(Watchdog::start()?);
        let launcher = Launcher {
            programs: settings.programs.clone(),
            log: Log::Files(settings.logs.clone()),
            environment: settings.environment.clone(),
            watchdog: Arc::clone(&watchdog),
        };
        let mut preparing = launcher.clone();
        preparing.environment.push(("RETRY_SCALE".to_owned(), settings.retry_scale.to_string()));
        preparing.prepare(&servers.addresses())?;
        let reach = Reach {
            api_broker: in_front_of(&servers.amqp_url).await?,
            worker_broker: in_front_of(&servers.amqp_url).await?,
            api_database: in_front_of(&servers.database_url).await?,
            worker_database: in_front_of(&servers.database_url).await?,
        };
        let secrets = Secrets::random();
        let api_key = secrets.api_key.clone();
        let mut stack = Self { units: Vec::new(), reach, watchdog, servers, api_key, preparing };
        stack.start_programs(settings, &launcher, &secrets)?;
        stack.until_ready().await?;
        Ok(stack)
    }

    /// Creates whatever is missing of tables, exchanges, queues and bindings.
    ///
    /// # Errors
    ///
    /// With what `ops` said, when it could not.
    pub fn prepare(&self) -> Result<(), StackError> {
        self.preparing.prepare(&self.servers.addresses())
    }

    /// The processes that serve the API.
    pub fn apis(&self) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(|unit| unit.role == Role::Api)
    }

    /// The workers of all domains.
    pub fn workers(&self) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(|unit| unit.role != Role::Api)
    }

    /// Where the API is served.
    #[must_use]
    pub fn api_urls(&self) -> Vec<String> {
        self.apis().map(|api| format!("http://{}", api.listens)).collect()
    }

    /// Asks every worker to stop, and waits for their ends.
    ///
    /// # Errors
    ///
    /// When one still runs after this time.
    pub async fn stop_workers(&self, patience: Duration) -> Result<(), StackError> {
        for worker in self.workers() {
            worker.program.lock().await.signal(Signal::Terminate)?;
        }
        for worker in self.workers() {
            worker.stop(patience).await?;
        }
        Ok(())
    }

    /// Starts every worker that was stopped, and waits until all programs are ready.
    ///
    /// # Errors
    ///
    /// When one is not ready within a minute.
    pub async fn start_workers(&self) -> Result<(), StackError> {
        for worker in self.workers() {
            worker.program.lock().await.start_again(&self.watchdog)?;
        }
        self.until_ready().await
    }

    /// Waits until every program is ready.
    ///
    /// # Errors
    ///
    /// When one is not within a minute.
    pub async fn until_ready(&self) -> Result<(), StackError> {
        for unit in &self.units {
            unit.until_ready(READY_DEADLINE).await?;
        }
        Ok(())
    }

    fn start_programs(
        &mut self,
        settings: &StackSettings,
        launcher: &Launcher,
        secrets: &Secrets,
    ) -> Result<(), StackError> {
        let addresses = self.servers.addresses();
        let through = |broker: &Proxy, database: &Proxy| {
            Ok::<_, StackError>(Addresses {
                amqp_url: through(broker.address(), &addresses.amqp_url)?,
                database_url: through(database.address(), &addresses.database_url)?,
                ..addresses.clone()
            })
        };
        let for_apis = through(&self.reach.api_broker, &self.reach.api_database)?;
        for number in 1..=settings.apis {
            let name = format!("{API}-{number}");
            self.units.push(launcher.api(&name, free_address()?, secrets, &for_apis)?);
        }
        let for_workers = through(&self.reach.worker_broker, &self.reach.worker_database)?;
        for domain in &settings.domains {
            for number in 1..=settings.workers {
                let name = format!("{domain}-worker-{number}");
                self.units.push(launcher.worker(&name, domain, &for_workers)?);
            }
        }
        Ok(())
    }
}

impl Unit {
    /// Asks its readiness probe once.
    pub async fn ready(&self) -> Result<(), String> {
        let ask = async {
            let response =
                http::client(ONE_TRY)?.get(format!("http://{}/readyz", self.listens)).send().await?;
            let ready = response.status().is_success();
            Ok::<_, reqwest::Error>(if ready { Ok(()) } else { Err(response.text().await?) })
        };
        ask.await.unwrap_or_else(|error| Err(error.without_url().to_string()))
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it has ended, or is not ready within this time.
    pub async fn until_ready(&self, patience: Duration) -> Result<(), StackError> {
        let until = Instant::now() + patience;
        while let Err(reason) = self.ready().await {
            let mut program = self.program.lock().await;
            let ended = program.ended();
            if ended.is_some() || Instant::now() > until {
                let reason = ended.map_or(reason, |status| format!("it ended ({status})"));
                let text = format!("it is not ready: {reason}; the end of its log:\n{}", program.log_tail());
                return Err(StackError::new(self.name.clone(), text));
            }
            drop(program);
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Asks it to stop, and waits for its end.
    ///
    /// # Errors
    ///
    /// When it still runs after this time.
    pub async fn stop(&self, patience: Duration) -> Result<ExitStatus, StackError> {
        let mut program = self.program.lock().await;
        program.signal(Signal::Terminate)?;
        let ended = program.end_within(patience).await;
        ended.ok_or_else(|| {
            StackError::new(format!("stopping {}", self.name), format!("it runs after {patience:?}"))
        })
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
