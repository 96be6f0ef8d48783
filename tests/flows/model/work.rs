//! A worker with its batch: gather, mark, look up, commit, emit.

use super::Pipeline;
use super::mutant::Mutant;
use super::state::{FollowUp, Kind, Message, Outgoing, Phase, Row, State, Status, Why, Worker};
use super::steps::{ATTEMPTS_MAX, BATCH_OF_REDELIVERED, RUNS_MAX};

/// What a member of a batch comes to.
struct Settled {
    row: Option<Row>,
    effect: bool,
    outgoing: Option<Outgoing>,
}

impl Pipeline {
    /// Takes what may be processed together with the first that is there.
    pub fn gather(&self, state: &mut State, worker: usize) {
        let runs = state.runs;
        let most = |message: &Message| match (self.mutant, message.returns, runs[message.command]) {
            (Some(Mutant::NoStartRecorded | Mutant::RedeliveredNotAlone), ..) | (_, 0, _) => usize::MAX,
            (_, _, 0) => BATCH_OF_REDELIVERED,
            (..) => 1,
        };
        let worker = &mut state.workers[worker];
        let first = worker.buffer[0];
        let fitting = worker.buffer.iter().take_while(|message| most(message) == most(&first));
        let size = fitting.count().min(most(&first));
        worker.batch = worker.buffer.drain(..size).collect();
        worker.slow_start &= worker.batch.iter().all(Message::was_redelivered);
        worker.acknowledged = self.mutant == Some(Mutant::AcknowledgeOnDelivery);
        let redelivered = first.was_redelivered() && self.mutant != Some(Mutant::NoStartRecorded);
        worker.phase = if redelivered { Phase::Redelivered } else { Phase::Ready { given_up: false } };
    }

    pub fn record_start(&self, state: &mut State, worker: usize) {
        let mut given_up = false;
        for message in &state.workers[worker].batch {
            let runs = &mut state.runs[message.command];
            given_up |= *runs >= RUNS_MAX;
            if !given_up && self.mutant != Some(Mutant::RunsNotWrittenBefore) {
                *runs += 1;
            }
        }
        state.workers[worker].phase = Phase::Ready { given_up };
    }

    pub fn look_up(&self, state: &mut State, worker: usize) {
        let Phase::Ready { given_up } = state.workers[worker].phase else { return };
        let seen = state.ledger.map(|row| {
            row.is_some_and(|row| match self.mutant {
                Some(Mutant::NoDedupe) => false,
                Some(Mutant::AnyRowSuppresses) => true,
                _ => row.suppresses(),
            })
        });
        state.workers[worker].phase = Phase::LookedUp { given_up, seen };
        if self.mutant == Some(Mutant::PublishBeforeCommit) {
            for message in &state.workers[worker].batch {
                if state.kinds[message.command] == Kind::Good && !seen[message.command] {
                    state.downstream.push(FollowUp { of: message.command, generation: 0 });
                }
            }
        }
    }

    /// Decides, saves, records: all of it or nothing. `None` when another worker was faster.
    pub fn commit(&self, state: &mut State, worker: usize, flaky_fails: bool) -> Option<Vec<Outgoing>> {
        let Phase::LookedUp { given_up, seen } = state.workers[worker].phase else { return None };
        let batch = state.workers[worker].batch.clone();
        let mut decided: Vec<(Message, Settled)> = Vec::new();
        for message in batch {
            // The first of two copies answers for both.
            if !decided.iter().any(|(other, _)| other.command == message.command) {
                let settled = self.settle(state, message, seen[message.command], given_up, flaky_fails);
                decided.push((message, settled));
            }
        }
        let careless = matches!(self.mutant, Some(Mutant::NoDedupe | Mutant::DedupeOutsideTransaction));
        let too_late = |(message, settled): &(Message, Settled)| {
            settled.row.is_some() && state.ledger[message.command].is_some_and(Row::suppresses)
        };
        if decided.iter().any(too_late) && !careless {
            interrupt(&mut state.workers[worker]);
            return None;
        }
        let mut outgoing = Vec::new();
        for (message, settled) in decided {
            state.effects[message.command] += u8::from(settled.effect);
            state.ledger[message.command] = settled.row.or(state.ledger[message.command]);
            // A command that is given up stays so, also when the worker dies before its dead letter is safe.
            if !given_up || self.mutant == Some(Mutant::RunsForgottenWhenGivenUp) {
                state.runs[message.command] = 0;
            }
            outgoing.extend(settled.outgoing);
        }
        Some(outgoing)
    }

    fn settle(
        &self,
        state: &State,
        message: Message,
        seen: bool,
        given_up: bool,
        flaky_fails: bool,
    ) -> Settled {
        let Message { command, attempt, .. } = message;
        let row = |status, emitted| Some(Row { status, attempt, emitted });
        let dead = |why| Settled {
            row: row(Status::Dead, None),
            effect: false,
            outgoing: Some(Outgoing::DeadLetter(command, why)),
        };
        if seen {
            let emitted = state.ledger[command].and_then(|row| row.emitted);
            let emitted = match self.mutant {
                Some(Mutant::NothingPublishedAgain) => None,
                Some(Mutant::NewIdsWhenPublishedAgain) => {
                    emitted.map(|emitted| FollowUp { generation: emitted.generation + 1, ..emitted })
                }
                _ => emitted,
            };
            return Settled { row: None, effect: false, outgoing: emitted.map(Outgoing::FollowUp) };
        }
        if given_up {
            return dead(Why::Crash);
        }
        match state.kinds[command] {
            Kind::Refused => Settled { row: row(Status::Refused, None), effect: false, outgoing: None },
            Kind::Unreadable => dead(Why::Unreadable),
            Kind::Broken | Kind::Flaky if state.kinds[command] == Kind::Broken || flaky_fails => {
                if attempt >= ATTEMPTS_MAX {
                    return dead(Why::Attempts);
                }
                let counted = u8::from(self.mutant != Some(Mutant::AttemptsNotCarried));
                let again = Message { attempt: attempt + counted, returns: 0, command };
                let outgoing = Some(Outgoing::Retry(again));
                Settled { row: row(Status::Retrying, None), effect: false, outgoing }
            }
            Kind::Good | Kind::Flaky | Kind::Broken | Kind::Killer => {
                let emitted = FollowUp { of: command, generation: 0 };
                Settled {
                    row: row(Status::Succeeded, Some(emitted)),
                    effect: true,
                    outgoing: Some(Outgoing::FollowUp(emitted)),
                }
            }
        }
    }

    pub fn emit(&self, worker: &mut Worker, outgoing: Vec<Outgoing>) {
        worker.acknowledged |= self.mutant == Some(Mutant::AcknowledgeBeforeConfirm);
        worker.phase =
            if outgoing.is_empty() { Phase::Confirmed } else { Phase::Emitting { outgoing, next: 0 } };
    }

    /// The broker has the message.
    pub fn place(&self, state: &mut State, worker: usize) {
        let Phase::Emitting { outgoing, next } = &state.workers[worker].phase else { return };
        match outgoing[*next] {
            Outgoing::FollowUp(follow_up) => state.downstream.push(follow_up),
            Outgoing::Retry(message) => state.delayed.push(message),
            Outgoing::DeadLetter(command, why) => state.dead.push((command, why)),
        }
    }
}

/// The transaction is over and has done nothing, as far as the worker knows.
pub fn interrupt(worker: &mut Worker) {
    if let Phase::LookedUp { given_up, .. } = worker.phase {
        worker.phase = Phase::Ready { given_up };
    }
}

pub fn advance(worker: &mut Worker) {
    if let Phase::Emitting { outgoing, next } = &mut worker.phase {
        *next += 1;
        if *next == outgoing.len() {
            worker.phase = Phase::Confirmed;
        }
    }
}

/// All of it again, unless the deliveries are gone: then the broker sends them again.
pub fn publish_again(worker: &mut Worker) {
    match &mut worker.phase {
        Phase::Emitting { next, .. } if worker.connected => *next = 0,
        _ => worker.start_over(),
    }
}
