//! Follows the journal while it is written: what has come to an end, and what is still expected.

mod flows;

use std::sync::Arc;
use std::time::Duration;

use millrace_protocol::ledger::FollowUp;
use sqlx::{FromRow, PgPool};
use tokio::sync::mpsc;
use uuid::Uuid;

pub use flows::Flows;

use crate::load::Meters;

const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// A message that a handler is done with, as the ledger has it.
#[derive(Debug, Clone, FromRow)]
pub struct Ended {
    pub handler: String,
    pub message_id: Uuid,
    pub job_id: Uuid,
    pub client_id: String,
    pub status: String,
    pub fingerprint: String,
    emitted: Option<String>,
}

impl Ended {
    /// What was sent out for it.
    pub fn emitted(&self) -> Vec<FollowUp> {
        let text = self.emitted.as_deref().unwrap_or("[]");
        // What can't be read here is reported by the invariants, which read it again.
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// Reads on from where it was.
pub struct Follower {
    database: PgPool,
    /// Transactions below this one are known.
    known_below: i64,
    flows: Flows,
    meters: Arc<Meters>,
    told: mpsc::UnboundedSender<Ended>,
}

impl Follower {
    pub fn new(database: PgPool, meters: Arc<Meters>, told: mpsc::UnboundedSender<Ended>) -> Self {
        Self { database, known_below: 0, flows: Flows::default(), meters, told }
    }

    /// Follows until it is dropped. What can't be read now is read later: the database may be down on purpose.
    pub async fn follow(&mut self) {
        loop {
            let _ = self.catch_up().await;
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Reads what was committed since, and gives back how many messages have come to an end.
    pub async fn catch_up(&mut self) -> sqlx::Result<usize> {
        // Every transaction below the oldest one under way is over: nothing below it will be added any more.
        let below: i64 = sqlx::query_scalar("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            .fetch_one(&self.database)
            .await?;
        let ended: Vec<Ended> = sqlx::query_as(include_str!("follow/ended.sql"))
            .bind(self.known_below)
            .bind(below)
            .fetch_all(&self.database)
            .await?;
        self.known_below = below;
        let count = ended.len();
        for ended in ended {
            self.flows.ended(&ended);
            // Nobody listens any more once all copies are published.
            let _ = self.told.send(ended);
        }
        self.meters.settled(self.flows.settled());
        Ok(count)
    }

    /// How many follow-ups some domain subscribes to and is not done with.
    pub fn expected(&self) -> usize {
        self.flows.expected()
    }

    /// Whether the domain is done with this job's own command.
    pub fn has_begun(&self, job: Uuid) -> bool {
        self.flows.has_begun(job)
    }
}
