//! `ops keys list`: all API keys and when they were last used.

use std::process::ExitCode;

use clap::Args;
use millrace_service::Fatal;
use millrace_service::settings::DatabaseSettings;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::database;
use crate::program::say;

/// Lists all API keys by client: scopes, status, expiry and last use
///
/// Neither keys nor their hashes are shown. `auth.revoke-api-key` takes the id. The API reports uses from time to time, so
/// the last use may be some minutes late.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    database: DatabaseSettings,
}

#[derive(Debug, Clone)]
struct Row {
    key_id: Uuid,
    key_prefix: String,
    client_id: String,
    name: String,
    scopes: Vec<String>,
    status: String,
    expires_at: Option<OffsetDateTime>,
    last_used_at: Option<OffsetDateTime>,
}

impl List {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        let mut connection = database::connect(&self.database).await?;
        let rows = sqlx::query_file_as!(Row, "src/keys/list.sql")
            .fetch_all(&mut connection)
            .await
            .map_err(database::failed("list the API keys"))?;
        if rows.is_empty() {
            say("There are no API keys; `ops keys bootstrap` issues the first one");
        }
        let now = OffsetDateTime::now_utc();
        for row in rows {
            say(in_words(&row, now));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Two lines: client, name, status and times; id and scopes.
fn in_words(row: &Row, now: OffsetDateTime) -> String {
    let Row { key_id, key_prefix, client_id, name, scopes, status, expires_at, last_used_at } = row;
    let passed = expires_at.is_some_and(|at| at <= now);
    let status = if passed && status == "active" { "expired" } else { status };
    let expires = match expires_at {
        Some(at) if passed => format!("expired {}", shown(*at)),
        Some(at) => format!("expires {}", shown(*at)),
        None => "never expires".to_owned(),
    };
    let used = last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("last used {}", shown(at)));
    format!(
        "{key_prefix} {client_id} \"{name}\": {status}, {expires}, {used}\n  {key_id} {}",
        scopes.join(" ")
    )
}

fn shown(at: OffsetDateTime) -> String {
    // People need no fractions of a second.
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests;
