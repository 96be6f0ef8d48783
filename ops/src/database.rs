//! A connection to Postgres for one command.

use std::str::FromStr;
use std::time::Duration;

use millrace_service::Fatal;
use millrace_service::settings::DatabaseSettings;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Connects, or says in a sentence why not.
pub async fn connect(settings: &DatabaseSettings) -> Result<PgConnection, Fatal> {
    let url = &settings.database_url;
    let options = PgConnectOptions::from_str(url.expose())
        .map_err(|error| Fatal::Misconfigured(format!("DATABASE_URL is wrong: {error}")))?;
    // Notices, such as that something exists already, tell an operator nothing.
    let options = options.application_name("ops").options([("client_min_messages", "warning")]);
    let options = options.disable_statement_logging();
    match tokio::time::timeout(CONNECT_DEADLINE, options.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(Fatal::failed(format!(
            "Postgres at {url} can't be used: {}. Check that it runs, and DATABASE_URL",
            reason(&error)
        ))),
        Err(_) => Err(Fatal::failed(format!(
            "Postgres at {url} did not answer within {} s. Check that it runs, and DATABASE_URL",
            CONNECT_DEADLINE.as_secs()
        ))),
    }
}

/// A statement failed; `doing` says what it was for, as a verb and its object.
pub fn failed(doing: &str) -> impl FnOnce(sqlx::Error) -> Fatal {
    move |error| {
        let reason = reason(&error);
        // Class 42: something that the statement names is not there.
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
        Fatal::failed(match code.starts_with("42") {
            true => format!(
                "Could not {doing}: {reason}. This database has another schema than this release needs: \
                 `ops migrate` brings it up to date"
            ),
            false => format!("Could not {doing}: {reason}"),
        })
    }
}

/// The server's own words where there are some; sqlx adds the line of the server's source.
pub fn reason(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}
