//! Connections to the database and the broker through which proofs look and publish, past any proxy.

use std::str::FromStr;
use std::time::Duration;

use lapin::options::QueuePurgeOptions;
use lapin::{Channel, Connection, ConnectionProperties};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use url::Url;

use crate::error::Error;

/// By which the checker's own sessions are told from those that it looks at.
pub const APPLICATION: &str = "millrace-checker";
const DEADLINE: Duration = Duration::from_secs(5);

/// The database; not connected to before it is asked something.
pub fn database(url: &Url) -> Result<PgPool, Error> {
    let options = PgConnectOptions::from_str(url.as_str())
        .map_err(Error::doing("reading --database-url"))?
        .application_name(APPLICATION)
        .options([("client_min_messages", "warning")]);
    Ok(PgPoolOptions::new().max_connections(2).acquire_timeout(DEADLINE).connect_lazy_with(options))
}

/// A connection to the broker with one channel. Both live as long as this.
pub struct Broker {
    connection: Connection,
    pub channel: Channel,
}

impl Broker {
    /// Connects, or says why not.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let connect = async {
            let connection = Connection::connect(url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            Ok::<_, lapin::Error>(Self { connection, channel })
        };
        match tokio::time::timeout(DEADLINE, connect).await {
            Ok(connected) => connected.map_err(Error::doing("connecting to the broker")),
            Err(_) => Err(Error::late("a connection to the broker", DEADLINE, "no answer")),
        }
    }

    /// Takes away all messages of a queue that are ready; how many those were.
    pub async fn purge(&self, queue: &str) -> Result<u32, Error> {
        Ok(self.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await?)
    }

    /// Gives back what was only looked at.
    pub async fn close(self) {
        // A connection that is gone already is as good as closed.
        let _ = tokio::time::timeout(DEADLINE, self.connection.close(200, "done".into())).await;
    }
}
