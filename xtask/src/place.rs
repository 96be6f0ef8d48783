//! Where a run puts its things: a vhost and a database, either the given ones or new ones of its own.

use millrace_stack::services::Services;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;
use uuid::Uuid;

use crate::http;
use crate::trouble::Trouble;

/// The addresses that the programs are given.
#[derive(Debug, Clone)]
pub struct Place {
    pub amqp_url: String,
    pub management_url: String,
    pub database_url: String,
    /// The URL of the database that ours was created through, if it was.
    created_through: Option<String>,
}

impl Place {
    /// What is there, as it is.
    pub fn given(services: &Services) -> Self {
        Self {
            amqp_url: services.amqp_url.clone(),
            management_url: services.management_url.clone(),
            database_url: services.database_url.clone(),
            created_through: None,
        }
    }

    /// A new vhost and a new database, so that nothing of what is there can disturb or be disturbed.
    pub async fn own(services: &Services, purpose: &str) -> Result<Self, Trouble> {
        let id = Uuid::now_v7().simple().to_string();
        let name = format!("millrace_{purpose}_{}", &id[20..]);
        let place = Self {
            amqp_url: with_path("AMQP_URL", &services.amqp_url, &name)?,
            management_url: services.management_url.clone(),
            database_url: with_path("DATABASE_URL", &services.database_url, &name)?,
            created_through: Some(services.database_url.clone()),
        };
        place.create_vhost(&name).await?;
        in_database(&services.database_url, &format!("CREATE DATABASE {name}")).await?;
        Ok(place)
    }

    /// Removes what was made; what was given stays.
    pub async fn remove(self) -> Result<(), Trouble> {
        let Some(through) = &self.created_through else { return Ok(()) };
        let name = self.vhost()?;
        let what = "removing the vhost";
        let removed = http::client()?.delete(self.management_api(&format!("vhosts/{name}"))).send().await;
        http::good(what, removed.map_err(http::failed(what))?).await?;
        in_database(through, &format!("DROP DATABASE {name} WITH (FORCE)")).await
    }

    /// The vhost as it stands in the URL; percent-encoded, as the management API wants it too.
    pub fn vhost(&self) -> Result<String, Trouble> {
        let url = parsed("AMQP_URL", &self.amqp_url)?;
        let vhost = url.path().trim_start_matches('/');
        Ok(if vhost.is_empty() { "%2f".to_owned() } else { vhost.to_owned() })
    }

    pub fn management_api(&self, path: &str) -> String {
        format!("{}/api/{path}", self.management_url.trim_end_matches('/'))
    }

    pub async fn database(&self) -> Result<PgConnection, Trouble> {
        PgConnection::connect(&self.database_url).await.map_err(Trouble::database("connecting to PostgreSQL"))
    }

    async fn create_vhost(&self, name: &str) -> Result<(), Trouble> {
        let user = parsed("AMQP_URL", &self.amqp_url)?.username().to_owned();
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

fn parsed(variable: &'static str, url: &str) -> Result<Url, Trouble> {
    Url::parse(url).map_err(|error| Trouble::BadUrl { variable, reason: error.to_string() })
}

fn with_path(variable: &'static str, url: &str, path: &str) -> Result<String, Trouble> {
    let mut url = parsed(variable, url)?;
    url.set_path(path);
    Ok(url.to_string())
}

/// Runs one statement that cannot take parameters; the names in it are made here.
async fn in_database(url: &str, statement: &str) -> Result<(), Trouble> {
    let run = async {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
        connection.close().await
    };
    run.await.map_err(Trouble::database(
        "creating or dropping a database (the PostgreSQL user must be allowed to)",
    ))
}
