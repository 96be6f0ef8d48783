//! What becomes of a message: one total match from its outcome to its ledger row and what is published for it.

use std::time::Duration;

use millrace_broker::{Failure, FailureClass, Incoming, Outgoing};
use millrace_contracts::ledger::{FollowUp, Status};
use millrace_contracts::{Envelope, RetryPolicy, Rung, catalog, topology};
use millrace_faults::{Mutant, mutated};
use millrace_service::Alert;
use serde_json::json;
use time::OffsetDateTime;

use crate::domain::{Change, Decision, Domain, No, Postpone, Refusal};
use crate::runtime::emit;
use crate::runtime::ledger::Entry;

/// How handling a message went. An outage is no outcome: it says nothing about the message.
#[derive(Debug)]
pub enum Outcome<C> {
    /// The domain does it.
    Decided(Decision<C>),
    /// The domain says no.
    Declined(No),
    /// Something broke.
    Failed(Fault),
    /// It was handled before; this is what it sent out then.
    Seen(Vec<FollowUp>),
    /// The same message is in this batch already.
    Twin,
}

/// Something broke, other than a database or a broker that is not there.
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

/// Where settling happens.
#[derive(Debug, Clone)]
pub struct Place {
    /// The domain.
    pub domain: millrace_contracts::Domain,
    /// Worker and version, for the headers of a failure.
    pub worker: String,
}

/// A message with everything that settling it depends on.
#[derive(Debug)]
pub struct Settling<'a> {
    /// Where.
    pub place: &'a Place,
    /// The message as it came.
    pub incoming: &'a Incoming,
    /// Who it is.
    pub envelope: &'a Envelope,
    /// When it came.
    pub received_at: OffsetDateTime,
    /// When it was worked on.
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
                let publish = emit::follow_ups(self.envelope, &emitted);
                (
                    Settlement { entry: Some(entry), publish, alert: None, label: "succeeded" },
                    decision.changes,
                )
            }
            Outcome::Declined(No::Refusal(refusal)) => (self.refuse(&refusal), nothing),
            Outcome::Declined(No::Postpone(postpone)) => (self.postpone(postpone), nothing),
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
            Outcome::Seen(emitted) => {
                let publish = emit::once_more(self.envelope, emitted);
                (Settlement { entry: None, publish, alert: None, label: "duplicate" }, nothing)
            }
            // The first of the two answers for both.
            Outcome::Twin => {
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

    /// What may never come is not waited for as long as an outside system that is down.
    fn postpone(&self, postpone: Postpone) -> Settlement {
        let reason = format!("waiting for {}", postpone.waiting_for);
        match postpone.finally {
            None => self.try_again(FailureClass::Postponed, reason, None),
            Some(refusal) => match RetryPolicy::QUICK.after(self.envelope.attempt) {
                None => self.refuse(&refusal),
                Some(rung) => self.wait_on(rung, FailureClass::Postponed, reason),
            },
        }
    }

    fn try_again(&self, class: FailureClass, reason: String, retry_after: Option<Duration>) -> Settlement {
        match self.policy().after(self.envelope.attempt) {
            None => {
                let reason = format!("given up after {} attempts: {reason}", self.envelope.attempt);
                self.give_up(class, reason)
            }
            Some(rung) => {
                let rung = retry_after.map_or(rung, |wait| rung.max(Rung::at_least(wait)));
                self.wait_on(rung, class, reason)
            }
        }
    }

    fn wait_on(&self, rung: Rung, class: FailureClass, reason: String) -> Settlement {
        let entry = Entry { problem: Some(problem(class.name(), &reason)), ..self.entry(Status::Retrying) };
        let failure = self.failure(class, reason);
        let next = self.envelope.attempt + u32::from(!mutated(Mutant::AttemptsForgotten));
        let again =
            Outgoing::after_failure(self.incoming, rung.exchange(), self.place.domain.name(), next, &failure);
        let again = match &self.incoming.reply_to {
            // Whoever waits for the job waits for a later attempt, too.
            Some(address) => again.with_reply_to(address),
            None => again,
        };
        tracing::info!(
            handler = %self.place.domain, message.id = %self.envelope.message_id, job.id = %self.envelope.job_id,
            message.r#type = self.envelope.message_type, attempt = self.envelope.attempt, failure.class = %class,
            "Tried again after {:?}: {}", rung.delay(), failure.reason
        );
        Settlement { entry: Some(entry), publish: vec![again], alert: None, label: class.name() }
    }

    fn give_up(&self, class: FailureClass, reason: String) -> Settlement {
        if mutated(Mutant::NoLimit) {
            return self.wait_on(Rung::at_least(Duration::ZERO), class, reason);
        }
        let entry = Entry { problem: Some(problem(class.name(), &reason)), ..self.entry(Status::Dead) };
        let alert = Alert {
            name: "dead-letter",
            sentence: format!(
                "A message of type {} is given up and waits in {}: {reason}. When its cause is mended, redrive it.",
                self.envelope.message_type,
                topology::dead_queue(self.place.domain),
            ),
            job_id: Some(self.envelope.job_id.0),
        };
        let failure = self.failure(class, reason);
        let publish = vec![dead_letter(self.place, self.incoming, self.envelope.attempt, &failure)];
        Settlement { entry: Some(entry), publish, alert: Some(alert), label: "dead" }
    }

    fn policy(&self) -> RetryPolicy {
        catalog::find(&self.envelope.message_type).map_or(RetryPolicy::QUICK, |entry| entry.retry)
    }

    fn failure(&self, class: FailureClass, reason: String) -> Failure {
        Failure { class, reason, by: self.place.worker.clone(), failed_at: self.now }
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

/// A message without an envelope goes to the dead letters as it came; there is no job to tell of it.
pub fn give_up_foreign(place: &Place, incoming: &Incoming, reason: &str, now: OffsetDateTime) -> Settlement {
    let alert = Alert {
        name: "dead-letter",
        sentence: format!(
            "A message that can't be read waits in {}: {reason}. Look at who published it.",
            topology::dead_queue(place.domain)
        ),
        job_id: None,
    };
    let failure = Failure {
        class: FailureClass::Unreadable,
        reason: reason.to_owned(),
        by: place.worker.clone(),
        failed_at: now,
    };
    let publish = vec![dead_letter(place, incoming, 1, &failure)];
    Settlement { entry: None, publish, alert: Some(alert), label: "dead" }
}

fn dead_letter(place: &Place, incoming: &Incoming, attempt: u32, failure: &Failure) -> Outgoing {
    Outgoing::after_failure(incoming, topology::DEAD, place.domain.name(), attempt, failure)
}

/// A problem as the door shows it (RFC 9457 names).
fn problem(slug: &str, sentence: &str) -> String {
    json!({"type": format!("urn:millrace:problem:{slug}"), "detail": sentence}).to_string()
}
