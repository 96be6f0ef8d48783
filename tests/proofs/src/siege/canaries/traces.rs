//! Everything that programs leave behind, as text.

use std::fmt;
use std::path::Path;

use lapin::options::BasicGetOptions;
use millrace_contracts::catalog;
use millrace_protocol::topology::Topology;
use sqlx::AssertSqlSafe;

use crate::connections::Broker;
use crate::error::Error;
use crate::siege::http::{Client, Request};
use crate::siege::target::{PATIENCE, Target};

/// Pairs of a place and the text that was found there.
#[derive(Debug, Default)]
pub struct Traces(Vec<(String, String)>);

impl Traces {
    /// Reads every message in every queue.
    pub async fn read_queues(&mut self, target: &Target) -> Result<(), Error> {
        let broker = Broker::connect(&target.stack.servers.amqp_url).await?;
        for queue in Topology::of(catalog(), 1.0).queues {
            let get = || broker.channel.basic_get(queue.as_str().into(), BasicGetOptions::default());
            while let Some(message) = get().await? {
                let body = String::from_utf8_lossy(&message.delivery.data);
                let (properties, key) = (&message.delivery.properties, &message.delivery.routing_key);
                self.0.push((format!("the queue {queue}"), format!("{properties:?} {key} {body}")));
            }
        }
        // Which returns what was read.
        broker.close().await;
        Ok(())
    }

    /// Reads every row of every table, with all columns.
    pub async fn read_tables(&mut self, target: &Target) -> Result<(), Error> {
        let mut session = target.stack.servers.session().await?;
        let tables: Vec<(String, String)> = sqlx::query_as(
            "SELECT table_schema::text, table_name::text FROM information_schema.tables
             WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')",
        )
        .fetch_all(&mut session)
        .await?;
        for (schema, table) in tables {
            let rows = AssertSqlSafe(format!("SELECT row::text FROM \"{schema}\".\"{table}\" AS row"));
            let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut session).await?;
            self.0.extend(rows.into_iter().map(|row| (format!("the table {schema}.{table}"), row)));
        }
        Ok(())
    }

    pub async fn read_metrics(&mut self, target: &Target) {
        for unit in target.stack.units.iter() {
            let request = Request::get("/metrics", "");
            // A stopped worker has none.
            if let Some(answer) = Client::of(unit.listens).send(&request, PATIENCE).await.answer() {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                self.0.push((format!("the metrics of {}", unit.name), text));
            }
        }
    }

    pub fn read_logs(&mut self, logs: &Path) -> Result<(), Error> {
        for entry in std::fs::read_dir(logs)? {
            let path = entry?.path();
            if path.is_file() {
                let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
                self.0.push((format!("the log {}", path.display()), text));
            }
        }
        Ok(())
    }

    pub fn has(&self, text: &str) -> bool {
        self.with(text).next().is_some()
    }

    /// Whether anything was read at this place.
    pub fn names(&self, place: &str) -> bool {
        self.0.iter().any(|(known, _)| known == place)
    }

    /// The places that contain this text.
    pub fn with(&self, text: &str) -> impl Iterator<Item = &str> {
        let found = self.0.iter().filter(move |(_, content)| content.contains(text));
        found.map(|(place, _)| place.as_str())
    }
}

impl fmt::Display for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |kind: &str| self.0.iter().filter(|(place, _)| place.starts_with(kind)).count();
        let log_bytes: usize =
            self.0.iter().filter(|(place, _)| place.starts_with("the log")).map(|(_, text)| text.len()).sum();
        write!(
            f,
            "{} messages in queues, {} rows, {} pages of metrics, {} logs ({} KiB)",
            of("the queue"),
            of("the table"),
            of("the metrics"),
            of("the log"),
            log_bytes / 1024
        )
    }
}
