//! What a world is made of: a catalog, tables, and what must be true of the tables in the end.

use millrace_protocol::{Catalog, DomainName};
use sqlx::migrate::Migrator;

/// The ledger and the tables of this repository's domains.
static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Whose messages and tables a world has.
#[derive(Debug, Clone, Copy)]
pub struct System {
    /// The domains and their messages.
    pub catalog: &'static Catalog,
    /// Tables besides the ledger's.
    pub migrations: Option<&'static Migrator>,
    /// Queries that count what must not be, each with its meaning; asked when a world ends.
    pub invariants: &'static [(&'static str, &'static str)],
}

/// The tables of this repository, as its migrations name them: `orders.orders`.
#[must_use]
pub fn tables() -> Vec<&'static str> {
    let statements = MIGRATIONS.iter().flat_map(|migration| migration.sql.as_str().lines());
    let created = statements.filter_map(|line| line.strip_prefix("CREATE TABLE ")?.strip_suffix(" ("));
    created.collect()
}

impl System {
    /// The system of this repository.
    #[must_use]
    pub(crate) fn of_this_repository() -> Self {
        Self {
            catalog: millrace_contracts::catalog(),
            migrations: None,
            invariants: &[("currencies in which payments and orders disagree", include_str!("money.sql"))],
        }
    }

    /// The same system with only these domains. What a test expects of them stays as it is when others are added.
    #[must_use]
    pub fn only(self, domains: &[DomainName]) -> Self {
        // A program has its catalog until it ends, and so has a test.
        Self { catalog: Box::leak(Box::new(self.catalog.only(domains))), ..self }
    }

    /// Makes the tables.
    pub(crate) async fn migrate(&self, database: &sqlx::PgPool) {
        MIGRATIONS.run(database).await.expect("the migrations fit an empty database");
        if let Some(migrations) = self.migrations {
            let mut own = Migrator::with_migrations(migrations.iter().cloned().collect());
            // Those of this repository are in the same table.
            own.set_ignore_missing(true);
            own.run(database).await.expect("the system's own migrations come after the repository's");
        }
    }
}
