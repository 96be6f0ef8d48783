//! A job's flow, worked out from its ledger rows: which messages there are, in causal order, and whether any is missing.
//!
//! A row lists the messages that its handling sent out, and the catalog says who hears each of them; so what is still
//! on its way is known although it is in no table.

use std::collections::{BTreeMap, HashSet};

use millrace_contracts::ledger::{Emitted, Status};
use millrace_contracts::reply::Reply;
use millrace_contracts::{JobId, MessageId, catalog};
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
    /// The row of a job's own command, as its worker answers it. `None` where the answer says only that the job was handled
    /// before, or is not understood, as one of a newer worker may be.
    pub fn answered(job: JobId, body: &[u8]) -> Option<Self> {
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
    Seen(&'a Row),
    /// It was sent, and the handler has not touched it yet. Which handler, and even which type, may not be known here.
    Pending {
        message_id: MessageId,
        message_type: Option<&'a str>,
        handler: Option<&'static str>,
        caused_by: Option<MessageId>,
    },
    /// It was sent, and nobody listens to its type.
    Unheard { message_id: MessageId, message_type: &'a str, caused_by: Option<MessageId> },
}

/// Where a flow stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "FlowState")]
pub(crate) enum State {
    /// Something still moves by itself.
    Running,
    /// Every message has been handled.
    Settled,
    /// Nothing moves any more, and at least one message waits for a person.
    Stuck,
}

/// How many messages of a flow are where; a message that two handlers hear counts twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Flow")]
pub(crate) struct Summary {
    pub state: State,
    pub handled: usize,
    pub pending: usize,
    pub dead: usize,
}

impl Summary {
    pub fn of(steps: &[Step<'_>]) -> Self {
        let (mut handled, mut pending, mut dead) = (0, 0, 0);
        for step in steps {
            match step {
                Step::Seen(row) => match row.status {
                    Status::Succeeded | Status::Refused => handled += 1,
                    Status::Retrying => pending += 1,
                    Status::Dead => dead += 1,
                },
                Step::Pending { .. } => pending += 1,
                Step::Unheard { .. } => {}
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

/// Every step of a job's flow; what a message caused stands right after it.
pub(crate) fn steps(job: JobId, rows: &[Row]) -> Vec<Step<'_>> {
    let mut walk = Walk::over(rows);
    walk.follow(job.first_message(), walk.type_of(job.first_message()), None);
    // A row whose cause has no row (any more: the ledger forgets by the week) is shown all the same.
    for row in rows {
        walk.follow(row.message_id, Some(&row.message_type), Some(row.causation_id));
    }
    walk.steps
}

struct Walk<'a> {
    rows: BTreeMap<MessageId, Vec<&'a Row>>,
    seen: HashSet<MessageId>,
    steps: Vec<Step<'a>>,
}

/// A message to visit: its id, its type where that is known, and what caused it.
type Next<'a> = (MessageId, Option<&'a str>, Option<MessageId>);

impl<'a> Walk<'a> {
    fn over(rows: &'a [Row]) -> Self {
        let mut by_message: BTreeMap<MessageId, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            by_message.entry(row.message_id).or_default().push(row);
        }
        Self { rows: by_message, seen: HashSet::new(), steps: Vec::new() }
    }

    fn type_of(&self, message: MessageId) -> Option<&'a str> {
        self.rows.get(&message).and_then(|rows| rows.first()).map(|row| row.message_type.as_str())
    }

    /// Notes a message and everything that follows from it, depth first.
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
        self.steps.extend(rows.iter().map(|row| Step::Seen(row)));
        match message_type.and_then(|name| catalog::find(name).map(|entry| (name, entry))) {
            Some((name, entry)) => {
                let missing =
                    entry.handlers().filter(|domain| !rows.iter().any(|row| row.handler == domain.name()));
                let pending = missing.map(|domain| Step::Pending {
                    message_id,
                    message_type,
                    handler: Some(domain.name()),
                    caused_by,
                });
                self.steps.extend(pending);
                if rows.is_empty() && entry.handlers().next().is_none() {
                    self.steps.push(Step::Unheard { message_id, message_type: name, caused_by });
                }
            }
            // A job that nobody has touched, or a type of a newer version: somebody will hear it, who is not known here.
            None if rows.is_empty() => {
                self.steps.push(Step::Pending { message_id, message_type, handler: None, caused_by });
            }
            None => {}
        }
        let sent = rows.iter().filter(|row| row.status.is_final()).flat_map(|row| &row.emitted);
        sent.map(|emitted| (emitted.id, Some(emitted.message_type.as_str()), Some(message_id))).collect()
    }
}
