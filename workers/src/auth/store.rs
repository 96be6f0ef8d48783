//! The auth domain's tables, read and written a batch at a time.

use millrace_contracts::{KeyHash, KeyId, KeyPrefix, PasswordHash, PersonName, Scope, UserId};
use millrace_protocol::ClientId;
use millrace_runtime::{SaveError, Store, TextEnum, all_written, stored};
use sqlx::{PgConnection, query_file};

use super::Auth;
use super::rules::{Account, ApiKey, Facts, KeyStatus};

const STATUS: TextEnum<KeyStatus> =
    TextEnum(&[(KeyStatus::Active, "active"), (KeyStatus::Revoked, "revoked")]);

impl Store for Auth {
    async fn load(connection: &mut PgConnection, facts: &mut Facts) -> Result<(), sqlx::Error> {
        let users: Vec<_> = facts.accounts.keys().map(|key| key.0).collect();
        let keys: Vec<_> = facts.api_keys.keys().map(|key| key.0).collect();
        for row in query_file!("src/auth/load.sql", &users, &keys).fetch_all(connection).await? {
            if let Some(user_id) = row.user_id {
                facts.accounts.fill(UserId(user_id), account(&row.status, row.hash)?, row.version);
            } else if let Some(key_id) = row.key_id {
                let status = STATUS.read(&row.status)?;
                let key = || {
                    Some(ApiKey {
                        client_id: ClientId::parse(row.client_id?).ok()?,
                        name: PersonName::parse(row.name?).ok()?,
                        scopes: row.scopes?.into_iter().map(Scope::parse).collect::<Result<_, _>>().ok()?,
                        key_prefix: KeyPrefix::parse(row.key_prefix?).ok()?,
                        key_hash: KeyHash::parse(row.hash?).ok()?,
                        expires_at: row.expires_at,
                        last_used_at: row.last_used_at,
                        status,
                    })
                };
                facts.api_keys.fill(KeyId(key_id), stored(key(), key_id)?, row.version);
            }
        }
        Ok(())
    }

    async fn save(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
        save_accounts(connection, facts).await?;
        save_api_keys(connection, facts).await
    }
}

fn account(status: &str, password_hash: Option<String>) -> Result<Account, sqlx::Error> {
    let password_hash = password_hash.map(PasswordHash::parse).transpose();
    let account = match status {
        "active" => password_hash.ok().map(|password_hash| Account::Active { password_hash }),
        "revoked" => Some(Account::Revoked),
        _ => None,
    };
    stored(account, status)
}

async fn save_accounts(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
    let (mut users, mut states, mut hashes, mut versions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in facts.accounts.changed() {
        let (state, hash) = match row.value {
            Account::Active { password_hash } => ("active", password_hash.as_ref()),
            Account::Revoked => ("revoked", None),
        };
        users.push(row.key.0);
        states.push(state.to_owned());
        hashes.push(hash.map(PasswordHash::as_str));
        versions.push(row.version);
    }
    if users.is_empty() {
        return Ok(());
    }
    let written = query_file!("src/auth/save_accounts.sql", &users, &states, &hashes as _, &versions)
        .execute(connection)
        .await?;
    all_written("auth.accounts", users.len(), written.rows_affected())
}

async fn save_api_keys(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
    let rows: Vec<_> = facts.api_keys.changed().collect();
    if rows.is_empty() {
        return Ok(());
    }
    let scopes = |key: &ApiKey| key.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ");
    let written = query_file!(
        "src/auth/save_api_keys.sql",
        &rows.iter().map(|row| row.key.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.client_id.to_string()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.name.to_string()).collect::<Vec<_>>(),
        &rows.iter().map(|row| scopes(row.value)).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.key_prefix.to_string()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.key_hash.as_str().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.expires_at).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.value.last_used_at).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| STATUS.text(row.value.status).to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.version).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    all_written("auth.api_keys", rows.len(), written.rows_affected())
}
