//! What becomes of a message: one total match from its outcome to its ledger row and to what is published for it.

use std::time::Duration;

use millrace_broker::{Failure, FailureClass, Incoming, Outgoing};
use millrace_faults::{Mutant, mutated};
use millrace_protocol::ledger::{FollowUp, Status};
use millrace_protocol::{DelayQueue, Envelope, RetrySchedule};
use millrace_protocol::{exchanges, topology};
use millrace_service::Alert;
use serde_json::json;
use time::OffsetDateTime;

use crate::domain::{Change, Decision, Domain, Postpone, Refusal, Rejection};
use crate::emit;
use crate::ledger::Entry;
use crate::session::Handler;

/// How handling a message went. An outage is no outcome: it says nothing about the message.
#[derive(Debug)]
pub enum Outcome<C> {
    /// The domain does it.
    Decided(Decision<C>),
    /// The domain doesn't do it.
    Rejected(Rejection),
    /// Something broke.
    Failed(Fault),
    /// It was handled before; these messages followed from it then.
    AlreadyHandled(Vec<FollowUp>),
    /// The same message comes earlier in this batch.
    DuplicateInBatch,
}

/// Something failed, other than that database or broker were away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The message can't be read.
    Unreadable(String),
    /// An outside call failed or took too long.
    Effect {
        /// What happened.
        reason: String,
        /// How long the outside system asks us to wait.
        retry_after: Option<Duration>,
    },
    /// A panic in our own code, or a row that the database refuses.
    Defect(String),
    /// The process died each time that it worked on this message alone.
    Crash {
        /// How often.
        crashes: u32,
    },
}

/// What is to be done about a message once its batch is committed.
#[derive(Debug)]
pub struct Settlement {
    /// The ledger row, written in the batch's transaction.
    pub entry: Option<Entry>,
    /// Published after the commit and before the acknowledgement.
    pub publish: Vec<Outgoing>,
    /// For a person to look at.
    pub alert: Option<Alert>,
    /// For logs and metrics.
    pub label: &'static str,
}

/// A message with everything that settling it depends on.
#[derive(Debug)]
pub struct Settling<'a> {
    /// Where.
    pub handler: &'a Handler,
    /// The message as it was delivered.
    pub incoming: &'a Incoming,
    /// Its metadata.
    pub envelope: &'a Envelope,
    /// When it was delivered.
    pub received_at: OffsetDateTime,
    /// When it was decided.
    pub now: OffsetDateTime,
}

impl Settling<'_> {
    /// From outcome to settlement, and the changes of a decision.
    pub fn settle<D: Domain>(&self, outcome: Outcome<Change<D>>) -> (Settlement, Vec<Change<D>>) {
        let nothing = Vec::new();
        match outcome {
            Outcome::Decided(decision) => {
                let emitted = emit::with_ids(self.envelope.message_id, decision.outgoing);
                let entry = Entry {
                    result: Some(decision.result.to_string()),
                    emitted: Some(emit::to_json(&emitted)),
                    ..self.entry(Status::Succeeded)
                };
                let publish = emit::follow_ups(self.handler.catalog, self.envelope, &emitted);
                (
                    Settlement { entry: Some(entry), publish, alert: None, label: "succeeded" },
                    decision.changes,
                )
            }
            Outcome::Rejected(Rejection::Refusal(refusal)) => (self.refuse(&refusal), nothing),
            Outcome::Rejected(Rejection::Postpone(postpone)) => (self.postpone(postpone), nothing),
            Outcome::Failed(Fault::Unreadable(reason)) => {
                (self.give_up(FailureClass::Unreadable, reason), nothing)
            }
            Outcome::Failed(Fault::Effect { reason, retry_after }) => {
                (self.try_again(FailureClass::Effect, reason, retry_after), nothing)
            }
            Outcome::Failed(Fault::Defect(reason)) => {
                (self.try_again(FailureClass::Defect, reason, None), nothing)
            }
            Outcome::Failed(Fault::Crash { crashes }) => {
                let reason =
                    format!("the process died {crashes} times while it worked on this message alone");
                (self.give_up(FailureClass::Crash, reason), nothing)
            }
            Outcome::AlreadyHandled(emitted) => {
                let publish = emit::published_again(self.handler.catalog, self.envelope, emitted);
                (Settlement { entry: None, publish, alert: None, label: "duplicate" }, nothing)
            }
            // The first of the two settles both.
            Outcome::DuplicateInBatch => {
                (Settlement { entry: None, publish: Vec::new(), alert: None, label: "duplicate" }, nothing)
            }
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Settlement {
        let entry = Entry {
            problem: Some(problem(refusal.problem, &refusal.sentence)),
            ..self.entry(Status::Refused)
        };
        Settlement { entry: Some(entry), publish: Vec::new(), alert: None, label: "refused" }
    }

    /// Waits less long for what may never come than for an outside system that is down.
    fn postpone(&self, postpone: Postpone) -> Settlement {
        let reason = format!("waiting for {}", postpone.waiting_for);
        match postpone.finally {
            None => self.try_again(FailureClass::Postponed, reason, None),
            Some(refusal) => match RetrySchedule::QUICK.after(self.envelope.attempt) {
                None => self.refuse(&refusal),
                Some(queue) => self.wait_in(queue, FailureClass::Postponed, reason),
            },
        }
    }

    fn try_again(&self, class: FailureClass, reason: String, retry_after: Option<Duration>) -> Settlement {
        match self.schedule().after(self.envelope.attempt) {
            None => {
                let reason = format!("given up after {} attempts: {reason}", self.envelope.attempt);
                self.give_up(class, reason)
            }
            Some(queue) => {
                let queue = retry_after.map_or(queue, |wait| queue.max(DelayQueue::at_least(wait)));
                self.wait_in(queue, class, reason)
            }
        }
    }

    fn wait_in(&self, queue: DelayQueue, class: FailureClass, reason: String) -> Settlement {
        let entry = Entry { problem: Some(problem(class.name(), &reason)), ..self.entry(Status::Retrying) };
        let failure = self.failure(class, reason);
        let next = self.envelope.attempt + u32::from(!mutated(Mutant::AttemptsForgotten));
        let again = Outgoing::after_failure(
            self.incoming,
            queue.name(),
            self.handler.domain.as_str(),
            next,
            &failure,
        );
        let again = match &self.incoming.reply_to {
            // An API process that waits for the job waits for a later attempt, too.
            Some(address) => again.with_reply_to(address),
            None => again,
        };
        tracing::info!(
            handler = %self.handler.domain, message.id = %self.envelope.message_id, job.id = %self.envelope.job_id,
            message.r#type = self.envelope.message_type, attempt = self.envelope.attempt, failure.class = %class,
            "Tried again after {:?}: {}", queue.delay(), failure.reason
        );
        Settlement { entry: Some(entry), publish: vec![again], alert: None, label: class.name() }
    }

    fn give_up(&self, class: FailureClass, reason: String) -> Settlement {
        if mutated(Mutant::NoLimit) {
            return self.wait_in(DelayQueue::at_least(Duration::ZERO), class, reason);
        }
        let entry = Entry { problem: Some(problem(class.name(), &reason)), ..self.entry(Status::Dead) };
        let alert = Alert {
            name: "dead-letter",
            sentence: format!(
                "A message of type {} is given up and waits in {}: {reason}. When its cause is mended, redrive it.",
                self.envelope.message_type,
                topology::dead_queue(self.handler.domain),
            ),
            job_id: Some(self.envelope.job_id.0),
        };
        let failure = self.failure(class, reason);
        let publish = vec![dead_letter(self.handler, self.incoming, self.envelope.attempt, &failure)];
        Settlement { entry: Some(entry), publish, alert: Some(alert), label: "dead" }
    }

    fn schedule(&self) -> RetrySchedule {
        let known = self.handler.catalog.find(&self.envelope.message_type);
        known.map_or(RetrySchedule::QUICK, |entry| entry.retry)
    }

    fn failure(&self, class: FailureClass, reason: String) -> Failure {
        Failure { class, reason, by: self.handler.worker.clone(), failed_at: self.now }
    }

    fn entry(&self, status: Status) -> Entry {
        Entry {
            message_id: self.envelope.message_id.0,
            job_id: self.envelope.job_id.0,
            causation_id: self.envelope.causation_id.0,
            client_id: self.envelope.client_id.as_str().to_owned(),
            message_type: self.envelope.message_type.clone(),
            status,
            attempts: i32::try_from(self.envelope.attempt).unwrap_or(i32::MAX),
            fingerprint: self.envelope.fingerprint.as_str().to_owned(),
            result: None,
            problem: None,
            emitted: None,
            received_at: self.received_at,
            handled_at: self.now,
        }
    }
}

/// A message without an envelope becomes a dead letter as it came; it belongs to no job.
pub fn give_up_undecodable(
    handler: &Handler,
    incoming: &Incoming,
    reason: &str,
    now: OffsetDateTime,
) -> Settlement {
    let alert = Alert {
        name: "dead-letter",
        sentence: format!(
            "A message that can't be read waits in {}: {reason}. Look at who published it.",
            topology::dead_queue(handler.domain)
        ),
        job_id: None,
    };
    let failure = Failure {
        class: FailureClass::Unreadable,
        reason: reason.to_owned(),
        by: handler.worker.clone(),
        failed_at: now,
    };
    let publish = vec![dead_letter(handler, incoming, 1, &failure)];
    Settlement { entry: None, publish, alert: Some(alert), label: "dead" }
}

fn dead_letter(handler: &Handler, incoming: &Incoming, attempt: u32, failure: &Failure) -> Outgoing {
    Outgoing::after_failure(incoming, exchanges::DEAD, handler.domain.as_str(), attempt, failure)
}

/// A problem as the API shows it, with the names of RFC 9457.
fn problem(slug: &str, sentence: &str) -> String {
    json!({"type": format!("urn:millrace:problem:{slug}"), "detail": sentence}).to_string()
}
