//! The first source: the environment says where the services are.

use std::time::Duration;

use url::Url;

use super::answers::{self, Urls};
use super::{Services, ServicesError};

/// They are said to be running, so this only bridges a server that is just coming up.
const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn find() -> Result<Option<Services>, ServicesError> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (amqp, database) = match (variable("AMQP_URL"), variable("DATABASE_URL")) {
        (Some(amqp), Some(database)) => (amqp, database),
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(ServicesError::HalfGiven { set: "AMQP_URL", missing: "DATABASE_URL" }),
        (None, Some(_)) => return Err(ServicesError::HalfGiven { set: "DATABASE_URL", missing: "AMQP_URL" }),
    };
    let management = match variable("AMQP_MANAGEMENT_URL") {
        Some(url) => url,
        None => usual_management_url(&amqp)?,
    };
    let urls = Urls { amqp, management, database };
    let versions = answers::wait(&urls, DEADLINE, || Ok(()))?;
    Ok(Some(Services::answering("given", urls, &versions)))
}

/// Where a RabbitMQ has its management API when nobody has moved it: same host, same login, port 15672.
pub(super) fn usual_management_url(amqp_url: &str) -> Result<String, ServicesError> {
    let bad = |reason: String| ServicesError::BadUrl { variable: "AMQP_URL", reason };
    let amqp = Url::parse(amqp_url).map_err(|error| bad(error.to_string()))?;
    let host = amqp.host_str().ok_or_else(|| bad("it names no host".to_owned()))?;
    let (user, password) = match (amqp.username(), amqp.password()) {
        ("", _) => ("guest", "guest"),
        (user, password) => (user, password.unwrap_or_default()),
    };
    Ok(format!("http://{user}:{password}@{host}:15672"))
}
