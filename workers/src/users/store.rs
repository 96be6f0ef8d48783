//! The users domain's tables, read and written a batch at a time.

use millrace_contracts::{Email, PersonName, UserId};
use millrace_runtime::{SaveError, Store, TextEnum, all_written, stored};
use sqlx::{PgConnection, query_file};

use super::Users;
use super::rules::{Facts, Status, User};

const STATUS: TextEnum<Status> =
    TextEnum(&[(Status::Active, "active"), (Status::Deactivated, "deactivated")]);

impl Store for Users {
    async fn load(connection: &mut PgConnection, facts: &mut Facts) -> Result<(), sqlx::Error> {
        let users: Vec<_> = facts.users.keys().map(|key| key.0).collect();
        for row in query_file!("src/users/load_users.sql", &users).fetch_all(&mut *connection).await? {
            let user = User {
                email: stored(Email::parse(row.email).ok(), "e-mail address")?,
                name: stored(PersonName::parse(row.name).ok(), "name of a user")?,
                status: STATUS.read(&row.status)?,
            };
            facts.claims.declare(user.email.folded());
            facts.users.fill(UserId(row.user_id), user, row.version);
        }
        let claims: Vec<_> = facts.claims.keys().cloned().collect();
        for row in query_file!("src/users/load_claims.sql", &claims).fetch_all(connection).await? {
            facts.claims.fill(row.email, UserId(row.user_id), row.version);
        }
        Ok(())
    }

    async fn save(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
        save_users(connection, facts).await?;
        save_claims(connection, facts).await
    }
}

async fn save_users(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
    let rows: Vec<_> = facts.users.changed().collect();
    if rows.is_empty() {
        return Ok(());
    }
    let written = query_file!(
        "src/users/save_users.sql",
        &rows.iter().map(|row| row.key.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.email.to_string()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.name.to_string()).collect::<Vec<_>>(),
        &rows.iter().map(|row| STATUS.text(row.value.status).to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.version).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    all_written("users.users", rows.len(), written.rows_affected())
}

async fn save_claims(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
    let rows: Vec<_> = facts.claims.changed().collect();
    if rows.is_empty() {
        return Ok(());
    }
    let written = query_file!(
        "src/users/save_claims.sql",
        &rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.map(|user| user.0)).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.version).collect::<Vec<_>>(),
    )
    .fetch_one(connection)
    .await?;
    all_written("users.email_claims", rows.len(), u64::try_from(written.written).unwrap_or_default())
}
