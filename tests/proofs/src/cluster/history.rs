//! What became of the orders, moment by moment: posts from the checker's history, work from its journal.

use std::collections::HashMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Error;
use crate::history::{self, Answer, History};

/// The command that goes into the queue whose leader is the victim.
const COMMAND: &str = "orders.place";

/// Seconds since 1970, by which posts and the journal's lines are compared.
pub type Seconds = f64;

pub fn now() -> Seconds {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    pub sent: Seconds,
    pub answered: Seconds,
    pub answer: Answer,
}

/// All orders that were posted and answered.
pub fn posts(folder: &Path) -> Result<Vec<Post>, Error> {
    let seconds = |at: OffsetDateTime| at.unix_timestamp_nanos() as f64 / 1e9;
    let history = History::of(history::read(&folder.join("history.jsonl"))?);
    let orders = history.submits.into_iter().filter(|submit| submit.command == COMMAND);
    let posts = orders.filter_map(|submit| {
        let answered = seconds(submit.answered_at?);
        Some(Post { sent: seconds(submit.invoked_at), answered, answer: submit.answer })
    });
    Ok(posts.collect())
}

/// When each order's job was brought to an end, of those that needed one attempt: an order that overtook its customer
/// waits on purpose.
pub async fn handled(database: &PgPool) -> Result<HashMap<Uuid, Seconds>, Error> {
    let rows: Vec<(Uuid, Seconds)> = sqlx::query_as(
        "SELECT job_id, extract(epoch FROM min(noted_at))::float8 FROM checker.notes
         WHERE type = $1 GROUP BY job_id HAVING max(attempts) = 1",
    )
    .bind(COMMAND)
    .fetch_all(database)
    .await
    .map_err(Error::doing("reading the journal"))?;
    Ok(rows.into_iter().collect())
}

/// One order a line, for whoever wants to look closer: its job, and when it was sent, confirmed and handled.
pub fn keep(posts: &[Post], handled: &HashMap<Uuid, Seconds>, folder: &Path) -> Result<(), Error> {
    let path = folder.join("orders.csv");
    let mut text = "job,sent,confirmed,handled\n".to_owned();
    for post in posts {
        let Answer::Accepted(job) = post.answer else { continue };
        let handled = handled.get(&job).map(|at| format!("{at:.3}")).unwrap_or_default();
        text += &format!("{job},{:.3},{:.3},{handled}\n", post.sent, post.answered);
    }
    std::fs::write(&path, text).map_err(Error::file(&path))
}
