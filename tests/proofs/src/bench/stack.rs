//! Servers of the bench's own, and Millrace's programs, which reach them without a proxy.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use millrace_contracts::catalog;
use millrace_protocol::DomainName;
use millrace_testkit::http;
use millrace_testkit::services::Server;
use millrace_testkit::services::watchdog::Watchdog;
use millrace_testkit::stack::program::Log;
use millrace_testkit::stack::servers::{Ending, Servers};
use millrace_testkit::stack::{API, Addresses, Launcher, Secrets, Unit, free_address};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use url::Url;
use uuid::Uuid;

use crate::bench::orders;
use crate::connections::Broker;
use crate::error::Error;

pub const PATIENCE: Duration = Duration::from_secs(60);
/// For a whole measurement.
pub const LONG_PATIENCE: Duration = Duration::from_secs(300);
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// As in production, so that logging is part of what is measured.
const LOGS: &str = "info,lapin=error";

/// Which of the two databases is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ledger {
    /// The one whose ledger is emptied before each measurement.
    Empty,
    /// The one whose ledger has grown large, if a run makes it.
    Grown,
}

impl Ledger {
    /// Empties the tables that grow with the jobs.
    fn cleared(self) -> &'static str {
        match self {
            Self::Empty => "TRUNCATE ledger.entries, orders.orders, payments.payments",
            Self::Grown => "TRUNCATE orders.orders, payments.payments",
        }
    }
}

pub struct Bench {
    pub servers: Servers,
    pub customers: Vec<Uuid>,
    pub http: reqwest::Client,
    pub secrets: Secrets,
    pub launcher: Launcher,
    grown_url: String,
}

impl Bench {
    pub async fn start(programs: &Path, logs: &Path, profile: bool) -> Result<Self, Error> {
        std::fs::create_dir_all(logs)?;
        let mut servers = Servers::start().await?;
        let mut session = servers.session().await?;
        // Commit times are read from the database, which keeps them only with this setting from its start on.
        sqlx::raw_sql("ALTER SYSTEM SET track_commit_timestamp = on").execute(&mut session).await?;
        if profile {
            sqlx::raw_sql("ALTER SYSTEM SET shared_preload_libraries = pg_stat_statements")
                .execute(&mut session)
                .await?;
        }
        drop(session);
        servers.end(Server::Database, Ending::Stop).await?;
        servers.start_again(Server::Database).await?;
        let launcher = Launcher {
            programs: programs.to_owned(),
            log: Log::Files(logs.to_owned()),
            // One client stands for many.
            environment: [("LOG_FILTER", LOGS), ("API_CLIENT_RATE", "1000000")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            watchdog: Arc::new(Watchdog::start()?),
        };
        launcher.prepare(&servers.addresses())?;
        if profile {
            sqlx::raw_sql("CREATE EXTENSION pg_stat_statements")
                .execute(&mut servers.session().await?)
                .await?;
        }
        let customers: Vec<_> = (0..orders::CUSTOMERS).map(|_| Uuid::now_v7()).collect();
        orders::introduce(&mut servers.session().await?, &customers).await?;
        let mut grown_url =
            Url::parse(&servers.database_url).map_err(|error| Error::new("the database's URL", error))?;
        grown_url.set_path("grown");
        Ok(Self {
            servers,
            customers,
            http: http::client(LONG_PATIENCE)?,
            secrets: Secrets::random(),
            grown_url: grown_url.into(),
            launcher,
        })
    }

    /// Starts an API process and waits until it is ready.
    pub async fn api(&self) -> Result<Unit, Error> {
        let addresses = self.addresses(Ledger::Empty);
        let unit = self.launcher.api(&format!("{API}-1"), free_address()?, &self.secrets, &addresses)?;
        unit.until_ready(PATIENCE).await?;
        Ok(unit)
    }

    /// Starts a domain's worker and waits until it is ready.
    pub async fn worker(&self, domain: DomainName, number: usize, ledger: Ledger) -> Result<Unit, Error> {
        let name = format!("{domain}-worker-{number}");
        let unit = self.launcher.worker(&name, domain.as_str(), &self.addresses(ledger))?;
        unit.until_ready(PATIENCE).await?;
        Ok(unit)
    }

    /// Stops a program cleanly.
    pub async fn stop(&self, unit: Unit) -> Result<(), Error> {
        unit.stop(STOP_PATIENCE).await?;
        Ok(())
    }

    /// A session with this database.
    pub async fn session(&self, ledger: Ledger) -> Result<PgConnection, Error> {
        let options: PgConnectOptions = self.database_url(ledger).parse()?;
        Ok(options.application_name("bench").disable_statement_logging().connect().await?)
    }

    /// Creates this database's tables.
    pub fn migrate(&self, ledger: Ledger) -> Result<(), Error> {
        Ok(self.launcher.ops(&["migrate"], &self.addresses(ledger))?)
    }

    /// How many bytes of write-ahead log the server has written, for all of its databases.
    pub async fn wal(&self) -> Result<f64, Error> {
        let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8";
        Ok(sqlx::query_scalar(sql).fetch_one(&mut self.session(Ledger::Empty).await?).await?)
    }

    fn addresses(&self, ledger: Ledger) -> Addresses {
        Addresses { database_url: self.database_url(ledger).to_owned(), ..self.servers.addresses() }
    }

    fn database_url(&self, ledger: Ledger) -> &str {
        match ledger {
            Ledger::Empty => &self.servers.database_url,
            Ledger::Grown => &self.grown_url,
        }
    }

    /// Empties every domain's queue and the tables that grow with the jobs, so that each measurement begins alike.
    pub async fn clear(&self, ledger: Ledger) -> Result<(), Error> {
        let broker = Broker::connect(&self.servers.amqp_url).await?;
        for domain in catalog().domains() {
            broker.purge(domain.as_str()).await?;
        }
        broker.close().await;
        let mut session = self.session(ledger).await?;
        for statement in [ledger.cleared(), "CHECKPOINT"] {
            sqlx::raw_sql(statement).execute(&mut session).await?;
        }
        Ok(())
    }

    /// The sum of a counter in the metrics of these programs.
    pub async fn counted(&self, units: &[Unit], line: &str) -> Result<f64, Error> {
        let mut sum = 0.0;
        for unit in units {
            let text = self.http.get(format!("http://{}/metrics", unit.listens)).send().await?.text().await?;
            let values =
                text.lines().filter_map(|given| given.strip_prefix(line)?.trim().parse::<f64>().ok());
            sum += values.sum::<f64>();
        }
        Ok(sum)
    }
}
