//! `GET /v1/jobs/{id}/events`: a job's flow as it happens, as server-sent events.
//!
//! The id of an event is a summary of all that has been told so far, so that any door can resume where another one broke
//! off (`Last-Event-ID`): what has not changed since is not told again.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use millrace_contracts::{JobId, MessageId};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::flow::{Row, State as FlowState, Summary};
use crate::http::Correlation;
use crate::jobs::Answers;
use crate::jobs::trail::{Message, Trail};
use crate::keys::Client;
use crate::problem::Problem;

#[cfg(test)]
mod tests;

/// Proxies close connections that are silent for a minute, some earlier.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client should wait before it comes back.
const COME_BACK_AFTER: Duration = Duration::from_secs(1);
/// A longer id would not fit where headers are limited to 8 KiB; such a flow is told from the beginning again.
const DIGESTS_MAX: usize = 500;

pub(crate) async fn show(
    State(answers): State<Arc<Answers>>,
    Extension(client): Extension<Client>,
    Extension(correlation): Extension<Correlation>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = answers.named(path, &client, &correlation)?;
    let rows = answers.watch.follow(job, &client.id).await?;
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let mut telling = Telling { job, told: Told::of_id(last_id), ended: false };
    let first = telling.news(&rows.borrow());
    if first.is_empty() && telling.ended {
        // To a client that was told everything it says: do not come back (HTML, server-sent events, §9.2.3).
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let events =
        stream::iter(first).chain(later(telling, rows, answers.stop.clone())).map(Ok::<_, Infallible>);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

/// What changes from now on, until nothing does any more or the door closes.
fn later(
    telling: Telling,
    rows: watch::Receiver<Arc<Vec<Row>>>,
    stop: CancellationToken,
) -> impl Stream<Item = Event> {
    let changes = stream::unfold((telling, rows), |(mut telling, mut rows)| async move {
        if telling.ended || rows.changed().await.is_err() {
            return None;
        }
        let now = Arc::clone(&rows.borrow_and_update());
        let news = telling.news(&now);
        Some((stream::iter(news), (telling, rows)))
    });
    changes.flatten().take_until(async move { stop.cancelled().await })
}

/// Who is told of a flow, and how far.
struct Telling {
    job: JobId,
    told: Told,
    ended: bool,
}

impl Telling {
    /// The events that tell what has changed.
    fn news(&mut self, rows: &[Row]) -> Vec<Event> {
        let trail = Trail::of(self.job, rows);
        let mut events = Vec::new();
        for message in &trail.messages {
            if self.told.message(message) {
                events.push(self.event("message", message));
            }
        }
        if self.told.flow(&trail.flow) {
            events.push(self.event("flow", &trail.flow));
        }
        self.ended = trail.flow.state == FlowState::Settled;
        events
    }

    fn event(&self, name: &str, data: &impl Serialize) -> Event {
        let data = serde_json::to_string(data).expect("a trail is plain data");
        let event = Event::default().event(name).data(data).retry(COME_BACK_AFTER);
        match self.told.id() {
            Some(id) => event.id(id),
            None => event,
        }
    }
}

/// The state in which each message was told of, as a digest, and that of the flow.
#[derive(Debug, Default)]
struct Told {
    /// By message and handler; what only an id tells of is not known by name.
    messages: BTreeMap<(MessageId, Option<String>), u32>,
    flow: Option<u32>,
    before: Vec<u32>,
}

impl Told {
    /// What an event's id says has been told. Any other text says nothing.
    fn of_id(id: &str) -> Self {
        let whole = id.len().is_multiple_of(8) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digests = id.as_bytes().chunks(8).filter(|_| whole);
        let read = |digest| u32::from_str_radix(std::str::from_utf8(digest).ok()?, 16).ok();
        Self { before: digests.filter_map(read).collect(), ..Self::default() }
    }

    fn id(&self) -> Option<String> {
        let digests = self.messages.values().chain(&self.flow);
        (self.messages.len() < DIGESTS_MAX).then(|| digests.map(|digest| format!("{digest:08x}")).collect())
    }

    /// Notes a message's state, and whether it is news.
    fn message(&mut self, message: &Message<'_>) -> bool {
        let digest = digest(&(message.message_id, message.handler, message.status, message.attempts));
        let key = (message.message_id, message.handler.map(str::to_owned));
        let known =
            self.messages.insert(key, digest).map_or(self.before.contains(&digest), |last| last == digest);
        !known
    }

    fn flow(&mut self, flow: &Summary) -> bool {
        let digest = digest(flow);
        let known = self.flow.replace(digest).map_or(self.before.contains(&digest), |last| last == digest);
        !known
    }
}

fn digest(state: &impl Serialize) -> u32 {
    let text = serde_json::to_vec(state).expect("plain data");
    let hash = blake3::hash(&text);
    u32::from_le_bytes(hash.as_bytes()[..4].try_into().expect("four bytes"))
}
