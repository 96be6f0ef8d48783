//! PostgreSQL in a container beside the cluster: nothing happens to it, it tells what really came of each order.

use std::time::Duration;

use millrace_testkit::services::ports;
use millrace_testkit::services::watchdog::Watchdog;
use millrace_testkit::wait::answer;
use sqlx::PgPool;
use url::Url;

use crate::cluster::docker::{Network, docker};
use crate::connections;
use crate::error::Error;

const USER: &str = "millrace";
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Database {
    pub url: String,
    pub pool: PgPool,
}

impl Database {
    pub async fn start(image: &str, network: &Network, watchdog: &Watchdog) -> Result<Self, Error> {
        let container = format!("{}-postgres", network.name);
        let address = network.address(20)?;
        let password = ports::password();
        watchdog.remove_container(&container)?;
        let mut arguments = vec!["run".to_owned(), "--detach".to_owned()];
        for (name, value) in [
            ("name", container),
            ("network", network.name.clone()),
            ("ip", address.to_string()),
            ("env", format!("POSTGRES_USER={USER}")),
            ("env", format!("POSTGRES_PASSWORD={password}")),
        ] {
            arguments.extend([format!("--{name}"), value]);
        }
        arguments.extend([image, "postgres", "-c", "max_connections=200"].map(str::to_owned));
        docker(&arguments).await?;
        let url = format!("postgres://{USER}:{password}@{address}:5432/{USER}?sslmode=disable");
        let pool = connections::database(&Url::parse(&url).map_err(Error::doing("the database's URL"))?)?;
        answer("PostgreSQL to answer", DEADLINE, async || pool.acquire().await.map(drop)).await?;
        Ok(Self { url, pool })
    }

    pub async fn version(&self) -> Result<String, Error> {
        let version = sqlx::query_scalar("SHOW server_version").fetch_one(&self.pool).await;
        version.map_err(Error::doing("asking PostgreSQL for its version"))
    }
}
