//! Faults of a running PostgreSQL: sessions cut off, no session left, tables locked or gone.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection};

use super::{Servers, StackError};
use crate::wait::answer;

const PAUSE: Duration = Duration::from_millis(20);
/// How long a change waits for the table's lock before it lets others through and tries again.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '2s'";
const ALTER_DEADLINE: Duration = Duration::from_secs(60);

impl Servers {
    /// Cuts off this many sessions, chosen by the server.
    pub async fn terminate_sessions(&self, count: u32) -> Result<(), StackError> {
        let statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name NOT IN ('testkit', 'millrace-checker')
             ORDER BY random() LIMIT $1";
        let mut session = self.session().await?;
        sqlx::query(statement).bind(i64::from(count)).execute(&mut session).await?;
        Ok(session.close().await?)
    }

    /// Takes every session that the server has left, and those that others give up, for this long.
    pub async fn exhaust_sessions(&self, hold: Duration) -> Result<(), StackError> {
        let until = Instant::now() + hold;
        let mut held = vec![self.session().await?];
        let mut cut_off = false;
        while Instant::now() < until {
            match self.session().await {
                Ok(session) => held.push(session),
                Err(_) if !cut_off => {
                    // Programs with open sessions would not notice; some must need a new one.
                    cut_off = true;
                    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE datname = current_database() AND application_name LIKE '%-worker' ";
                    sqlx::raw_sql(cut).execute(&mut held[0]).await?;
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        for session in held {
            session.close().await?;
        }
        Ok(())
    }

    /// Locks a table in this mode (<https://www.postgresql.org/docs/current/explicit-locking.html>) for this long.
    pub async fn lock_table(&self, table: &str, mode: &str, hold: Duration) -> Result<(), StackError> {
        let mut session = self.session().await?;
        let lock = format!("BEGIN; LOCK TABLE {table} IN {mode} MODE");
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut session).await?;
        tokio::time::sleep(hold).await;
        sqlx::raw_sql("COMMIT").execute(&mut session).await?;
        Ok(session.close().await?)
    }

    /// Renames a table (`schema.name`) for this long, so that it is missing.
    ///
    /// # Errors
    ///
    /// When the database does not do it, or does not undo it within a minute.
    pub async fn hide_table(&self, table: &str, hold: Duration) -> Result<(), StackError> {
        let name = table.rsplit('.').next().unwrap_or(table);
        self.alter(&format!("ALTER TABLE {table} RENAME TO {name}_away")).await?;
        tokio::time::sleep(hold).await;
        self.alter(&format!("ALTER TABLE {table}_away RENAME TO {name}")).await
    }

    /// Changes a table, again and again: waiting for the lock in one go would hold up everybody behind it, and could end in
    /// a deadlock.
    pub async fn alter(&self, statement: &str) -> Result<(), StackError> {
        let mut session = self.session().await?;
        sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut session).await?;
        let alter =
            async || sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut session).await.map(drop);
        answer(statement, ALTER_DEADLINE, alter).await?;
        Ok(session.close().await?)
    }
}
