//! A job's rows as a tree. A message that no worker has processed yet has no row: it follows from the follow-ups in other rows
//! and from the catalog's subscriptions.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use millrace_protocol::ledger::Status;
use millrace_protocol::{Catalog, JobId};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Row;

/// Draws all rows, of which there must be at least one.
pub fn draw(catalog: &Catalog, job: JobId, rows: &[Row]) -> String {
    let start = accepted_at(job).or_else(|| rows.iter().map(|row| row.received_at).min());
    let mut drawing = Drawing {
        catalog,
        rows: by_message(rows),
        seen: HashSet::new(),
        start: start.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        lines: vec![
            ["MESSAGE", "HANDLER", "STATUS", "ATTEMPTS", "RECEIVED", "HANDLED", ""].map(str::to_owned),
        ],
    };
    let first = job.first_message().0;
    match drawing.rows.get(&first).map(|rows| rows[0].r#type.clone()) {
        Some(command) => drawing.message(first, &command, "", ""),
        None => drawing.line("", "(the job's own command)", "?", "not in the ledger"),
    }
    // The row of a cause may have been pruned; its follow-ups are shown all the same.
    for row in rows {
        drawing.message(row.message_id, &row.r#type, "", "");
    }
    let client = rows.first().map_or("", |row| row.client_id.as_str());
    format!("Job {job} of client {client}, {}\n{}", shown(drawing.start), aligned(&drawing.lines))
}

fn by_message(rows: &[Row]) -> HashMap<Uuid, Vec<&Row>> {
    let mut by_message: HashMap<Uuid, Vec<&Row>> = HashMap::new();
    for row in rows {
        by_message.entry(row.message_id).or_default().push(row);
    }
    by_message
}

/// The time in the job's id, a UUIDv7. An id that follows from an idempotency key has none.
fn accepted_at(job: JobId) -> Option<OffsetDateTime> {
    if job.0.as_bytes()[0] == 0xff {
        return None;
    }
    let (seconds, nanos) = job.0.get_timestamp()?.to_unix();
    let nanos = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
}

struct Drawing<'a> {
    catalog: &'a Catalog,
    rows: HashMap<Uuid, Vec<&'a Row>>,
    seen: HashSet<Uuid>,
    start: OffsetDateTime,
    lines: Vec<[String; 7]>,
}

impl Drawing<'_> {
    /// A message at each of its handlers, and below each the handler's follow-ups. `first` is the prefix of the message's own
    /// line, `below` that of all lines below it.
    fn message(&mut self, id: Uuid, name: &str, first: &str, below: &str) {
        if !self.seen.insert(id) {
            return;
        }
        let rows = self.rows.get(&id).cloned().unwrap_or_default();
        let waiting: Vec<&str> = match self.catalog.find(name) {
            Some(entry) => {
                let handlers = entry.handlers().iter().map(|domain| domain.as_str());
                handlers.filter(|name| !rows.iter().any(|row| row.handler == *name)).collect()
            }
            // A message type of a newer release: this release does not know its handlers.
            None if rows.is_empty() => vec!["?"],
            None => Vec::new(),
        };
        if rows.is_empty() && waiting.is_empty() {
            self.line(first, name, "—", "no subscriber");
        }
        for handler in waiting {
            self.line(first, name, handler, "pending");
        }
        for row in rows {
            self.row(row, first);
            self.sent_by(row, below);
        }
    }

    fn sent_by(&mut self, row: &Row, below: &str) {
        // Follow-ups are published when their cause has its final status.
        let is_final = Status::named(&row.status).is_some_and(Status::is_final);
        let sent = row.emitted.as_ref().filter(|_| is_final);
        let sent = sent.map(|json| json.0.as_slice()).unwrap_or_default();
        for (position, emitted) in sent.iter().enumerate() {
            let (elbow, line) =
                if position + 1 == sent.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let (first, below) = (format!("{below}{elbow}"), format!("{below}{line}"));
            self.message(emitted.id.0, &emitted.message_type, &first, &below);
        }
    }

    fn row(&mut self, row: &Row, first: &str) {
        self.lines.push([
            format!("{first}{}", row.r#type),
            row.handler.clone(),
            row.status.clone(),
            row.attempts.to_string(),
            after(row.received_at - self.start),
            after(row.handled_at - self.start),
            row.problem.clone().unwrap_or_default(),
        ]);
    }

    fn line(&mut self, first: &str, message_type: &str, handler: &str, status: &str) {
        let cells = [&format!("{first}{message_type}"), handler, status, "", "", "", ""];
        self.lines.push(cells.map(str::to_owned));
    }
}

fn shown(moment: OffsetDateTime) -> String {
    let (date, (hour, minute, second, milli)) = (moment.date(), moment.to_hms_milli());
    format!("{date} {hour:02}:{minute:02}:{second:02}.{milli:03} UTC")
}

/// Milliseconds below one second, then seconds, then minutes, then hours.
fn after(elapsed: Duration) -> String {
    let minutes = elapsed.whole_minutes();
    match elapsed.whole_milliseconds() {
        millis @ ..1_000 => format!("{millis:+} ms"),
        ..60_000 => format!("{:+.2} s", elapsed.as_seconds_f64()),
        _ if minutes < 60 => format!("{minutes:+} min {:02} s", elapsed.whole_seconds() % 60),
        _ => format!("{:+} h {:02} min", minutes / 60, minutes % 60),
    }
}

/// Columns as wide as their widest cell.
fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(widths) {
            // Writing to a string can't fail.
            let _ = write!(row, "{cell:<width$}  ");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
