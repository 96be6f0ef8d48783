//! What a run's programs stand on: a vhost and a database, either those that are there or new ones of its own.

use millrace_stack::services::Services;
use millrace_stack::services::separate::Separate;
use millrace_stack::stack::Addresses;
use sqlx::{Connection, PgConnection};
use url::Url;
use uuid::Uuid;

use crate::error::Error;

/// One vhost and one database.
#[derive(Debug, Clone)]
pub struct Backends {
    pub addresses: Addresses,
    /// Of this run's own, if they were created for it.
    own: Option<Separate>,
}

impl Backends {
    /// Those that are there.
    pub fn existing(services: &Services) -> Self {
        Self { addresses: services.addresses(), own: None }
    }

    /// A new vhost and a new database, so that a run neither disturbs nor is disturbed by what is there.
    pub async fn create(services: &Services, purpose: &str) -> Result<Self, Error> {
        let id = Uuid::now_v7().simple().to_string();
        let own = services.separate(&format!("millrace_{purpose}_{}", &id[20..])).await?;
        Ok(Self { addresses: own.addresses.clone(), own: Some(own) })
    }

    /// Removes what was created; what was there before stays.
    pub async fn remove(self) -> Result<(), Error> {
        let Some(own) = &self.own else { return Ok(()) };
        Ok(own.remove().await?)
    }

    /// The vhost as it stands in the URL; percent-encoded, as the management API wants it too.
    pub fn vhost(&self) -> Result<String, Error> {
        let url = Url::parse(&self.addresses.amqp_url)
            .map_err(|error| Error::BadSetting { variable: "AMQP_URL", reason: error.to_string() })?;
        let vhost = url.path().trim_start_matches('/');
        Ok(if vhost.is_empty() { "%2f".to_owned() } else { vhost.to_owned() })
    }

    pub async fn database(&self) -> Result<PgConnection, Error> {
        PgConnection::connect(&self.addresses.database_url)
            .await
            .map_err(Error::database("connecting to PostgreSQL"))
    }
}
