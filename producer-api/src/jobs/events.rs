//! `GET /v1/jobs/{id}/events`: a job's flow as it happens, as server-sent events.
//!
//! The id of an event is a digest of everything that was sent so far. So any process of the API can resume a stream that
//! another one began (`Last-Event-ID`), and sends only what has changed since.

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
use millrace_protocol::{Catalog, JobId, MessageId};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::flow::{Row, State as FlowState, Summary};
use crate::http::Correlation;
use crate::jobs::JobReader;
use crate::jobs::trail::{Message, Trail};
use crate::problem::Problem;

#[cfg(test)]
mod tests;

/// Proxies close connections that are silent for a minute, some earlier.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client should wait before it reconnects.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// A longer id would exceed the 8 KiB that some servers allow for headers. A longer flow is sent from the beginning again.
const DIGESTS_MAX: usize = 500;

pub(crate) async fn show(
    State(reader): State<Arc<JobReader>>,
    Extension(client): Extension<Client>,
    Extension(correlation): Extension<Correlation>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = reader.job(path, &client, &correlation)?;
    let rows = reader.watcher.follow(job, &client.id).await?;
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let mut subscriber =
        Subscriber { catalog: reader.catalog, job, sent: Sent::of_id(last_id), ended: false };
    let first = subscriber.news(&rows.borrow());
    if first.is_empty() && subscriber.ended {
        // 204 stops a client that has everything from reconnecting (HTML Living Standard, server-sent events, §9.2.3).
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let events =
        stream::iter(first).chain(later(subscriber, rows, reader.stop.clone())).map(Ok::<_, Infallible>);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

/// The changes from now on, until the flow is settled or the API stops.
fn later(
    subscriber: Subscriber,
    rows: watch::Receiver<Arc<Vec<Row>>>,
    stop: CancellationToken,
) -> impl Stream<Item = Event> {
    let changes = stream::unfold((subscriber, rows), |(mut subscriber, mut rows)| async move {
        if subscriber.ended || rows.changed().await.is_err() {
            return None;
        }
        let now = Arc::clone(&rows.borrow_and_update());
        let news = subscriber.news(&now);
        Some((stream::iter(news), (subscriber, rows)))
    });
    changes.flatten().take_until(async move { stop.cancelled().await })
}

/// A client that follows a flow, and what was sent to it.
struct Subscriber {
    catalog: &'static Catalog,
    job: JobId,
    sent: Sent,
    ended: bool,
}

impl Subscriber {
    /// The events for what has changed.
    fn news(&mut self, rows: &[Row]) -> Vec<Event> {
        let trail = Trail::of(self.catalog, self.job, rows);
        let mut events = Vec::new();
        for message in &trail.messages {
            if self.sent.message(message) {
                events.push(self.event("message", message));
            }
        }
        if self.sent.flow(&trail.flow) {
            events.push(self.event("flow", &trail.flow));
        }
        self.ended = trail.flow.state == FlowState::Settled;
        events
    }

    fn event(&self, name: &str, data: &impl Serialize) -> Event {
        let data = serde_json::to_string(data).expect("a trail is plain data");
        let event = Event::default().event(name).data(data).retry(RECONNECT_AFTER);
        match self.sent.id() {
            Some(id) => event.id(id),
            None => event,
        }
    }
}

/// The last state that was sent of each message and of the flow, as digests.
#[derive(Debug, Default)]
struct Sent {
    /// By message and handler.
    messages: BTreeMap<(MessageId, Option<String>), u32>,
    flow: Option<u32>,
    /// What was sent before the client reconnected; its id does not say of which message.
    before: Vec<u32>,
}

impl Sent {
    /// What was sent according to this id. Any other text counts as nothing.
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

    /// Notes a message's state; whether it is news.
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
