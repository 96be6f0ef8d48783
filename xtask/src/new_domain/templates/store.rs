//! The {{domain}} domain's table, read and written a batch at a time.

use millrace_contracts::{{Subject}};
use millrace_runtime::{SaveError, Store, TextEnum, all_written};
use sqlx::{PgConnection, query_file};

use super::{{Domain}};
use super::rules::{Facts, Status};

const STATUS: TextEnum<Status> = TextEnum(&[
    (Status::Open, "open"),
    (Status::Completed, "completed"),
{{if closing}}
    (Status::Closed, "closed"),
{{end}}
]);

impl Store for {{Domain}} {
    async fn load(connection: &mut PgConnection, facts: &mut Facts) -> Result<(), sqlx::Error> {
        let {{nouns}}: Vec<_> = facts.{{nouns}}.keys().map(|key| key.0).collect();
        for row in query_file!("src/{{domain}}/load.sql", &{{nouns}}).fetch_all(connection).await? {
            facts.{{nouns}}.fill({{Subject}}(row.{{subject}}), STATUS.read(&row.status)?, row.version);
        }
        Ok(())
    }

    async fn save(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
        let rows: Vec<_> = facts.{{nouns}}.changed().collect();
        if rows.is_empty() {
            return Ok(());
        }
        let written = query_file!(
            "src/{{domain}}/save.sql",
            &rows.iter().map(|row| row.key.0).collect::<Vec<_>>(),
            &rows.iter().map(|row| STATUS.text(*row.value).to_owned()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.version).collect::<Vec<_>>(),
        )
        .execute(connection)
        .await?;
        all_written("{{domain}}.{{nouns}}", rows.len(), written.rows_affected())
    }
}
