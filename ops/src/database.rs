//! A connection to Postgres for one command, and its errors as sentences.

use std::str::FromStr;
use std::time::Duration;

use millrace_service::Fatal;
use millrace_service::settings::DatabaseSettings;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Connects within 10 s. An error is a sentence that names the setting to check.
pub async fn connect(settings: &DatabaseSettings) -> Result<PgConnection, Fatal> {
    let url = &settings.database_url;
    let options = PgConnectOptions::from_str(url.expose())
        .map_err(|error| Fatal::Misconfigured(format!("DATABASE_URL is wrong: {error}")))?;
    // Notices, for example that a table exists already, do not help an operator.
    let options = options.application_name("ops").options([("client_min_messages", "warning")]);
    let options = options.disable_statement_logging();
    match tokio::time::timeout(CONNECT_DEADLINE, options.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(Fatal::failed(format!(
            "Cannot connect to Postgres at {url}: {}. Check that it runs, and DATABASE_URL",
            reason(&error)
        ))),
        Err(_) => Err(Fatal::failed(format!(
            "Postgres at {url} did not answer within {} s. Check that it runs, and DATABASE_URL",
            CONNECT_DEADLINE.as_secs()
        ))),
    }
}

/// Explains a failed statement; `doing` names its purpose as a verb and its object.
pub fn failed(doing: &str) -> impl FnOnce(sqlx::Error) -> Fatal {
    move |error| {
        let reason = reason(&error);
        // Class 42: the statement names a table or column that does not exist.
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
        Fatal::failed(match code.starts_with("42") {
            true => format!(
                "Could not {doing}: {reason}. The database's schema is not that of this release: `ops migrate` \
                 brings it up to date"
            ),
            false => format!("Could not {doing}: {reason}"),
        })
    }
}

/// The server's own message where there is one; sqlx's text adds a line number of the server's source.
pub fn reason(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}
