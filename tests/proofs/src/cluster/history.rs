//! What became of the orders, moment by moment: posts from the checker's history, work from its journal.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::cluster::trouble::Trouble;

/// The command that goes into the queue whose leader is the victim.
const COMMAND: &str = "orders.place";

/// Seconds since 1970, by which posts and the journal's lines are compared.
pub type Seconds = f64;

pub fn now() -> Seconds {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// What the door said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 202: from now on it may not be lost.
    Confirmed(Uuid),
    /// Certainly nothing was sent.
    Refused,
    /// It may have been sent.
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    pub sent: Seconds,
    pub answered: Seconds,
    pub answer: Answer,
}

/// A line of the checker's history, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    event: String,
    #[serde(default)]
    submit: u64,
    #[serde(default)]
    command: String,
    job_id: Option<Uuid>,
}

/// All orders that were posted and answered.
pub fn posts(folder: &Path) -> Result<Vec<Post>, Trouble> {
    let path = folder.join("history.jsonl");
    let file = File::open(&path).map_err(Trouble::file(&path))?;
    let (mut sent, mut posts) = (HashMap::new(), Vec::new());
    for line in BufReader::new(file).lines() {
        let line = line.map_err(Trouble::file(&path))?;
        let line: Line = serde_json::from_str(&line).map_err(|error| Trouble::file(&path)(error.into()))?;
        let at = line.at.unix_timestamp_nanos() as f64 / 1e9;
        let answer = match (line.event.as_str(), line.job_id) {
            ("invoke", _) => {
                if line.command == COMMAND {
                    sent.insert(line.submit, at);
                }
                continue;
            }
            ("ok", Some(job)) => Answer::Confirmed(job),
            ("fail", _) => Answer::Refused,
            ("info", _) => Answer::Unknown,
            _ => continue,
        };
        if let Some(sent) = sent.remove(&line.submit) {
            posts.push(Post { sent, answered: at, answer });
        }
    }
    Ok(posts)
}

/// When each order's job was brought to an end, of those that needed one attempt: an order that overtook its customer
/// waits on purpose.
pub async fn handled(database: &PgPool) -> Result<HashMap<Uuid, Seconds>, Trouble> {
    let rows: Vec<(Uuid, Seconds)> = sqlx::query_as(
        "SELECT job_id, extract(epoch FROM min(noted_at))::float8 FROM checker.notes
         WHERE type = $1 GROUP BY job_id HAVING max(attempts) = 1",
    )
    .bind(COMMAND)
    .fetch_all(database)
    .await
    .map_err(Trouble::database("reading the journal"))?;
    Ok(rows.into_iter().collect())
}

/// One order a line, for whoever wants to look closer: its job, and when it was sent, confirmed and handled.
pub fn keep(posts: &[Post], handled: &HashMap<Uuid, Seconds>, folder: &Path) -> Result<(), Trouble> {
    let path = folder.join("orders.csv");
    let mut text = "job,sent,confirmed,handled\n".to_owned();
    for post in posts {
        let Answer::Confirmed(job) = post.answer else { continue };
        let handled = handled.get(&job).map(|at| format!("{at:.3}")).unwrap_or_default();
        text += &format!("{job},{:.3},{:.3},{handled}\n", post.sent, post.answered);
    }
    std::fs::write(&path, text).map_err(Trouble::file(&path))
}
