//! PostgreSQL in a container beside the cluster: nothing happens to it, it tells what really came of each order.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use millrace_testkit::services::ports;
use millrace_testkit::services::watchdog::Watchdog;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::cluster::broker::until;
use crate::cluster::docker::{Network, docker};
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
        let address: IpAddr = network.address(20).parse().map_err(Error::doing("an address"))?;
        let password = ports::password();
        watchdog.remove_container(&container).map_err(Error::file(Path::new("the watchdog")))?;
        let (user, secret) = (format!("POSTGRES_USER={USER}"), format!("POSTGRES_PASSWORD={password}"));
        docker(&[
            "run",
            "--detach",
            "--name",
            &container,
            "--network",
            &network.name,
            "--ip",
            &address.to_string(),
            "--env",
            &user,
            "--env",
            &secret,
            image,
            "postgres",
            "-c",
            "max_connections=200",
        ])
        .await?;
        let url = format!("postgres://{USER}:{password}@{address}:5432/{USER}?sslmode=disable");
        let connect = async || {
            let pool = PgPoolOptions::new().max_connections(3).acquire_timeout(Duration::from_secs(2));
            pool.connect(&url).await.map_err(|error| error.to_string())
        };
        let pool = until("an answer from PostgreSQL", DEADLINE, connect).await?;
        Ok(Self { url, pool })
    }

    pub async fn version(&self) -> Result<String, Error> {
        let version = sqlx::query_scalar("SHOW server_version").fetch_one(&self.pool).await;
        version.map_err(Error::doing("asking PostgreSQL for its version"))
    }
}
