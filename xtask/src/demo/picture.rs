//! What the demo shows without checking it: one order's trail as a tree, and the ledger's outcomes per domain.

use std::fmt::Write;

use sqlx::Row;
use time::OffsetDateTime;
use uuid::Uuid;

use super::load::{Load, of_story};
use super::story::Story;
use crate::api::{ApiClient, Trail, TrailMessage};
use crate::backends::Backends;
use crate::error::Error;

/// The way of an order that overtook its user, which has more to show than others; of any order if there is none.
pub async fn trail(api: &ApiClient, load: &Load) -> Result<String, Error> {
    let overtook = of_story(&load.placed, Story::OvertookItsUser).next();
    let Some(job) = overtook.or_else(|| load.placed.first().map(|(order, _)| *order)) else {
        return Ok(String::new());
    };
    let trail = api.trail(job).await?;
    Ok(format!("The way of one order, job {job}:\n{}", tree(&trail, accepted_at(job))))
}

/// A job's id is a UUIDv7 and so says when it was made.
fn accepted_at(job: Uuid) -> OffsetDateTime {
    let (seconds, nanos) = job.get_timestamp().map_or((0, 0), |time| time.to_unix());
    let nanos = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

pub(super) fn tree(trail: &Trail, start: OffsetDateTime) -> String {
    let mut text = String::new();
    let roots: Vec<&TrailMessage> = children(trail, None);
    for root in roots {
        branch(trail, root, "  ", "  ", start, &mut text);
    }
    text
}

fn branch(
    trail: &Trail,
    message: &TrailMessage,
    first: &str,
    rest: &str,
    start: OffsetDateTime,
    text: &mut String,
) {
    let name = message.message_type.as_deref().unwrap_or("?");
    let handler = message.handler.as_deref().map(|handler| format!("→ {handler}")).unwrap_or_default();
    let attempts =
        if message.attempts > 1 { format!(", attempt {}", message.attempts) } else { String::new() };
    let at = message
        .handled_at
        .map(|at| format!("{:+.0} ms", (at - start).as_seconds_f64() * 1e3))
        .unwrap_or_default();
    let label = format!("{first}{name} {handler}");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{label:<52} {}{attempts:<12} {at:>10}", message.status);
    let below = children(trail, Some(message.message_id));
    // A message to which several domains subscribe has a row for each; its follow-ups are drawn below the first one only.
    let below = if first_with_id(trail, message) { below } else { Vec::new() };
    for (index, child) in below.iter().enumerate() {
        let last = index + 1 == below.len();
        let (elbow, pipe) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        branch(trail, child, &format!("{rest}{elbow}"), &format!("{rest}{pipe}"), start, text);
    }
}

fn children(trail: &Trail, cause: Option<Uuid>) -> Vec<&TrailMessage> {
    trail.messages.iter().filter(|message| message.caused_by == cause).collect()
}

fn first_with_id(trail: &Trail, message: &TrailMessage) -> bool {
    let first = trail.messages.iter().find(|other| other.message_id == message.message_id);
    first.is_some_and(|first| std::ptr::eq(first, message))
}

/// One line per domain and type of message, from the ledger.
pub async fn outcomes(backends: &Backends) -> Result<String, Error> {
    const PER_TYPE: &str = "
        SELECT handler, type,
               count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
               count(*) FILTER (WHERE status = 'refused')   AS refused,
               count(*) FILTER (WHERE status = 'retrying')  AS retrying,
               count(*) FILTER (WHERE status = 'dead')      AS dead,
               count(*) FILTER (WHERE attempts > 1)         AS repeated
        FROM ledger.entries GROUP BY handler, type ORDER BY handler, min(handled_at), type";
    let mut database = backends.database().await?;
    let failed = Error::database("reading the ledger");
    let rows = sqlx::query(PER_TYPE).fetch_all(&mut database).await.map_err(failed)?;
    let mut text = format!(
        "{:<10} {:<24} {:>10} {:>8} {:>9} {:>6} {:>14}\n",
        "Domain", "Message", "succeeded", "refused", "retrying", "dead", "after a retry"
    );
    let mut domain = String::new();
    for row in rows {
        let (handler, message_type): (String, String) = (row.get("handler"), row.get("type"));
        let count = |column: &str| match row.get::<i64, _>(column) {
            0 => "·".to_owned(),
            count => count.to_string(),
        };
        let shown = if handler == domain { "" } else { handler.as_str() };
        let _ = writeln!(
            text,
            "{shown:<10} {message_type:<24} {:>10} {:>8} {:>9} {:>6} {:>14}",
            count("succeeded"),
            count("refused"),
            count("retrying"),
            count("dead"),
            count("repeated"),
        );
        domain = handler;
    }
    Ok(text)
}
