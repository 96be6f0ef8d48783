//! What a run's programs stand on: a vhost and a database, either those that are there or new ones of its own.

use millrace_stack::services::Services;
use millrace_stack::stack::Addresses;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;
use uuid::Uuid;

use crate::error::Error;
use crate::http;

/// One vhost and one database.
#[derive(Debug, Clone)]
pub struct Backends {
    pub addresses: Addresses,
    /// The URL of the database that ours was created through, if it was.
    created_through: Option<String>,
}

impl Backends {
    /// Those that are there.
    pub fn existing(services: &Services) -> Self {
        let addresses = Addresses {
            amqp_url: services.amqp_url.clone(),
            management_url: services.management_url.clone(),
            database_url: services.database_url.clone(),
        };
        Self { addresses, created_through: None }
    }

    /// A new vhost and a new database, so that a run neither disturbs nor is disturbed by what is there.
    pub async fn create(services: &Services, purpose: &str) -> Result<Self, Error> {
        let id = Uuid::now_v7().simple().to_string();
        let name = format!("millrace_{purpose}_{}", &id[20..]);
        let addresses = Addresses {
            amqp_url: with_path("AMQP_URL", &services.amqp_url, &name)?,
            management_url: services.management_url.clone(),
            database_url: with_path("DATABASE_URL", &services.database_url, &name)?,
        };
        let backends = Self { addresses, created_through: Some(services.database_url.clone()) };
        backends.create_vhost(&name).await?;
        in_database(&services.database_url, &format!("CREATE DATABASE {name}")).await?;
        Ok(backends)
    }

    /// Removes what was created; what was there before stays.
    pub async fn remove(self) -> Result<(), Error> {
        let Some(through) = &self.created_through else { return Ok(()) };
        let name = self.vhost()?;
        let what = "removing the vhost";
        let removed = http::client()?.delete(self.management_api(&format!("vhosts/{name}"))).send().await;
        http::good(what, removed.map_err(http::failed(what))?).await?;
        in_database(through, &format!("DROP DATABASE {name} WITH (FORCE)")).await
    }

    /// The vhost as it stands in the URL; percent-encoded, as the management API wants it too.
    pub fn vhost(&self) -> Result<String, Error> {
        let url = parsed("AMQP_URL", &self.addresses.amqp_url)?;
        let vhost = url.path().trim_start_matches('/');
        Ok(if vhost.is_empty() { "%2f".to_owned() } else { vhost.to_owned() })
    }

    pub fn management_api(&self, path: &str) -> String {
        format!("{}/api/{path}", self.addresses.management_url.trim_end_matches('/'))
    }

    pub async fn database(&self) -> Result<PgConnection, Error> {
        PgConnection::connect(&self.addresses.database_url)
            .await
            .map_err(Error::database("connecting to PostgreSQL"))
    }

    async fn create_vhost(&self, name: &str) -> Result<(), Error> {
        let user = parsed("AMQP_URL", &self.addresses.amqp_url)?.username().to_owned();
        let user = if user.is_empty() { "guest".to_owned() } else { user };
        let everything = json!({"configure": ".*", "write": ".*", "read": ".*"});
        let what = "creating a vhost (the RabbitMQ user must be an administrator)";
        for (path, body) in
            [(format!("vhosts/{name}"), json!({})), (format!("permissions/{name}/{user}"), everything)]
        {
            let sent = http::client()?.put(self.management_api(&path)).json(&body).send().await;
            http::good(what, sent.map_err(http::failed(what))?).await?;
        }
        Ok(())
    }
}

fn parsed(variable: &'static str, url: &str) -> Result<Url, Error> {
    Url::parse(url).map_err(|error| Error::BadSetting { variable, reason: error.to_string() })
}

fn with_path(variable: &'static str, url: &str, path: &str) -> Result<String, Error> {
    let mut url = parsed(variable, url)?;
    url.set_path(path);
    Ok(url.to_string())
}

/// Runs one statement that cannot take parameters; the names in it are made here.
async fn in_database(url: &str, statement: &str) -> Result<(), Error> {
    let run = async {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
        connection.close().await
    };
    run.await
        .map_err(Error::database("creating or dropping a database (the PostgreSQL user must be allowed to)"))
}
