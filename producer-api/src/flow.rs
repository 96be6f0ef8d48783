//! A job's flow, worked out from its ledger rows: which messages there are, in causal order, and whether any is missing.
//!
//! A row lists the messages that its handler sent out, and the catalog says which domains subscribe to them. So messages on
//! their way are known although no table has them.

use std::collections::{BTreeMap, HashSet};

use millrace_protocol::Reply;
use millrace_protocol::ledger::{Emitted, Status};
use millrace_protocol::{Catalog, JobId, MessageId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

#[cfg(test)]
mod tests;

/// One row of the ledger: what one handler made of one message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub handler: String,
    pub message_id: MessageId,
    pub causation_id: MessageId,
    pub message_type: String,
    pub status: Status,
    pub attempts: u32,
    pub result: Option<Value>,
    pub problem: Option<Value>,
    pub emitted: Vec<Emitted>,
    pub received_at: OffsetDateTime,
    pub handled_at: OffsetDateTime,
}

impl Row {
    /// The row of a job's own command, from its worker's reply. `None` if the reply says only that the job was handled before,
    /// or can't be read, as that of a newer worker.
    pub fn of_reply(job: JobId, body: &[u8]) -> Option<Self> {
        let reply = serde_json::from_slice::<Option<Reply>>(body).ok().flatten()?;
        Some(Self {
            handler: reply.handler,
            message_id: job.first_message(),
            causation_id: job.first_message(),
            message_type: reply.message_type,
            status: reply.status,
            attempts: reply.attempts,
            result: reply.result,
            problem: reply.problem,
            emitted: reply.emitted,
            received_at: reply.received_at,
            handled_at: reply.handled_at,
        })
    }
}

/// One message at one handler.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step<'a> {
    /// The handler has a row for it.
    Recorded(&'a Row),
    /// It was sent, and the handler has no row for it yet. The handler, and even the type, may be unknown.
    Pending {
        message_id: MessageId,
        message_type: Option<&'a str>,
        handler: Option<&'static str>,
        caused_by: Option<MessageId>,
    },
    /// It was sent, and no domain subscribes to its type.
    Unsubscribed { message_id: MessageId, message_type: &'a str, caused_by: Option<MessageId> },
}

/// The state of a whole flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "FlowState")]
pub(crate) enum State {
    /// Messages are on their way or will be tried again.
    Running,
    /// Every message has been handled.
    Settled,
    /// No message is on its way, and at least one was given up and waits for a person.
    Stuck,
}

/// How many messages of a flow are in which state. A message that two domains handle counts twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Flow")]
pub(crate) struct Summary {
    /// The state of the whole flow.
    pub state: State,
    /// Succeeded or refused.
    pub handled: usize,
    /// On their way, or to be tried again.
    pub pending: usize,
    /// Given up.
    pub dead: usize,
}

impl Summary {
    pub fn of(steps: &[Step<'_>]) -> Self {
        let (mut handled, mut pending, mut dead) = (0, 0, 0);
        for step in steps {
            match step {
                Step::Recorded(row) => match row.status {
                    Status::Succeeded | Status::Refused => handled += 1,
                    Status::Retrying => pending += 1,
                    Status::Dead => dead += 1,
                },
                Step::Pending { .. } => pending += 1,
                Step::Unsubscribed { .. } => {}
            }
        }
        let state = match (pending, dead) {
            (0, 0) => State::Settled,
            (0, _) => State::Stuck,
            _ => State::Running,
        };
        Self { state, handled, pending, dead }
    }
}

/// Every step of a job's flow. The messages that a message caused follow right after it.
pub(crate) fn steps<'a>(catalog: &Catalog, job: JobId, rows: &'a [Row]) -> Vec<Step<'a>> {
    let mut walk = Walk::over(catalog, rows);
    walk.follow(job.first_message(), walk.type_of(job.first_message()), None);
    // A row is shown even if its cause has no row any more, because the ledger was pruned.
    for row in rows {
        walk.follow(row.message_id, Some(&row.message_type), Some(row.causation_id));
    }
    walk.steps
}

struct Walk<'a, 'c> {
    catalog: &'c Catalog,
    rows: BTreeMap<MessageId, Vec<&'a Row>>,
    seen: HashSet<MessageId>,
    steps: Vec<Step<'a>>,
}

/// A message to visit: its id, its type where that is known, and what caused it.
type Next<'a> = (MessageId, Option<&'a str>, Option<MessageId>);

impl<'a, 'c> Walk<'a, 'c> {
    fn over(catalog: &'c Catalog, rows: &'a [Row]) -> Self {
        let mut by_message: BTreeMap<MessageId, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            by_message.entry(row.message_id).or_default().push(row);
        }
        Self { catalog, rows: by_message, seen: HashSet::new(), steps: Vec::new() }
    }

    fn type_of(&self, message: MessageId) -> Option<&'a str> {
        self.rows.get(&message).and_then(|rows| rows.first()).map(|row| row.message_type.as_str())
    }

    /// Adds a message and everything that follows from it, depth first.
    fn follow(&mut self, message: MessageId, message_type: Option<&'a str>, caused_by: Option<MessageId>) {
        let mut next = vec![(message, message_type, caused_by)];
        while let Some((message, message_type, caused_by)) = next.pop() {
            if self.seen.insert(message) {
                let children = self.visit(message, message_type, caused_by);
                next.extend(children.into_iter().rev());
            }
        }
    }

    fn visit(
        &mut self,
        message_id: MessageId,
        message_type: Option<&'a str>,
        caused_by: Option<MessageId>,
    ) -> Vec<Next<'a>> {
        let rows = self.rows.get(&message_id).cloned().unwrap_or_default();
        self.steps.extend(rows.iter().map(|row| Step::Recorded(row)));
        match message_type.and_then(|name| self.catalog.find(name).map(|entry| (name, entry))) {
            Some((name, entry)) => {
                let missing = entry
                    .handlers()
                    .iter()
                    .filter(|domain| !rows.iter().any(|row| row.handler == domain.as_str()));
                let pending = missing.map(|domain| Step::Pending {
                    message_id,
                    message_type,
                    handler: Some(domain.as_str()),
                    caused_by,
                });
                self.steps.extend(pending);
                if rows.is_empty() && entry.handlers().is_empty() {
                    self.steps.push(Step::Unsubscribed { message_id, message_type: name, caused_by });
                }
            }
            // A job that no worker has received, or a type of a newer release, whose handlers are unknown.
            None if rows.is_empty() => {
                self.steps.push(Step::Pending { message_id, message_type, handler: None, caused_by });
            }
            None => {}
        }
        let sent = rows.iter().filter(|row| row.status.is_final()).flat_map(|row| &row.emitted);
        sent.map(|emitted| (emitted.id, Some(emitted.message_type.as_str()), Some(message_id))).collect()
    }
}
