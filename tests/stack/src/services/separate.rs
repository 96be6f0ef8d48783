//! A vhost and a database of one's own on servers that others use as well.

use std::time::Duration;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;

use super::management::{self, Method};
use super::{Addresses, Services, ServicesError};

/// For making or deleting a vhost, with all that is in it, on a machine that is busy with other things.
const VHOST_DEADLINE: Duration = Duration::from_secs(60);

/// Where they are. They stay until they are removed.
#[derive(Debug, Clone)]
pub struct Separate {
    pub addresses: Addresses,
    name: String,
    /// The database that ours was created through.
    through: String,
}

impl Services {
    /// Where the servers are, with the vhost and the database that everybody uses.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        Addresses {
            amqp_url: self.amqp_url.clone(),
            management_url: self.management_url.clone(),
            database_url: self.database_url.clone(),
        }
    }

    /// Creates a vhost and a database of this name, which must be fit for both.
    ///
    /// # Errors
    ///
    /// When the users may not create them.
    pub async fn separate(&self, name: &str) -> Result<Separate, ServicesError> {
        let addresses = Addresses {
            amqp_url: with_path(&self.amqp_url, name)?,
            database_url: with_path(&self.database_url, name)?,
            ..self.addresses()
        };
        create_vhost(&addresses, name).await?;
        in_database(&self.database_url, &format!("CREATE DATABASE \"{name}\"")).await?;
        Ok(Separate { addresses, name: name.to_owned(), through: self.database_url.clone() })
    }
}

impl Separate {
    /// Removes both, whoever is still connected.
    pub async fn remove(&self) -> Result<(), ServicesError> {
        let (url, vhost) = (&self.addresses.management_url, format!("vhosts/{}", self.name));
        management::ask_within(VHOST_DEADLINE, url, Method::DELETE, &vhost, None).await?;
        in_database(&self.through, &format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name)).await
    }
}

/// Creates a vhost, which an administrator may, and in which the user of the broker's URL may do everything.
pub(crate) async fn create_vhost(addresses: &Addresses, name: &str) -> Result<(), ServicesError> {
    let amqp = parsed(&addresses.amqp_url)?;
    let user = if amqp.username().is_empty() { "guest" } else { amqp.username() };
    let everything = json!({"configure": ".*", "write": ".*", "read": ".*"});
    for (path, body) in
        [(format!("vhosts/{name}"), json!({})), (format!("permissions/{name}/{user}"), everything)]
    {
        let url = &addresses.management_url;
        management::ask_within(VHOST_DEADLINE, url, Method::PUT, &path, Some(&body)).await?;
    }
    Ok(())
}

fn parsed(url: &str) -> Result<Url, ServicesError> {
    Url::parse(url).map_err(|error| ServicesError::refused("a server's URL", error))
}

pub(crate) fn with_path(url: &str, path: &str) -> Result<String, ServicesError> {
    let mut url = parsed(url)?;
    url.set_path(path);
    Ok(url.into())
}

/// Runs one statement that cannot take parameters; the names in it are made here.
pub(super) async fn in_database(url: &str, statement: &str) -> Result<(), ServicesError> {
    let run = async {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
        connection.close().await
    };
    let what = "creating or dropping a database (the PostgreSQL user must be allowed to)";
    run.await.map_err(|error| ServicesError::refused(what, error))
}
