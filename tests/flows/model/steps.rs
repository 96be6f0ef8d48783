//! What can happen next in the model, in the granularity of the runtime: gather, look up, commit, emit, acknowledge.

use super::Pipeline;
use super::faults::Fault;
use super::mutant::Mutant;
use super::state::{FollowUp, Kind, Message, Phase, State, Worker};
use super::work::advance;

/// How many messages that were redelivered are processed together at most, the first time.
pub const BATCH_OF_REDELIVERED: usize = 2;
/// Runs of a message that came back which may end in a crash: one in company, and as in the runtime three alone.
pub const RUNS_MAX: u8 = 4;
/// The runtime's retry schedules are longer; what happens in a delay queue is the same in each.
pub const ATTEMPTS_MAX: u8 = 2;
const PREFETCH: usize = 2;

/// One step. Workers are named by position, messages by their position in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Deliver { worker: usize, message: usize },
    Gather { worker: usize },
    RecordStart { worker: usize },
    LookUp { worker: usize },
    Commit { worker: usize, flaky_fails: bool },
    Kill { worker: usize },
    Publish { worker: usize },
    Acknowledge { worker: usize },
    Expire { message: usize },
    Hear { follow_up: usize },
    DatabaseReturns,
    Fault(Fault),
}

impl Pipeline {
    /// Everything that happens without anything going wrong.
    pub fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        for (worker, at) in state.workers.iter().enumerate() {
            let careful = at.slow_start && self.mutant != Some(Mutant::RedeliveredNotAlone);
            let prefetch = if careful { 1 } else { PREFETCH };
            let unacknowledged = at.buffer.len() + if at.acknowledged { 0 } else { at.batch.len() };
            if at.connected && unacknowledged < prefetch {
                let new =
                    |message: &usize| *message == 0 || state.queue[*message] != state.queue[*message - 1];
                let messages = (0..state.queue.len()).filter(new);
                steps.extend(messages.map(|message| Step::Deliver { worker, message }));
            }
            match &at.phase {
                // Whether work on what came back has begun before stands in the database.
                Phase::Idle
                    if at
                        .buffer
                        .first()
                        .is_some_and(|first| state.database_up || !first.was_redelivered()) =>
                {
                    steps.push(Step::Gather { worker });
                }
                Phase::Redelivered if state.database_up => steps.push(Step::RecordStart { worker }),
                Phase::Ready { .. } if state.database_up => steps.push(Step::LookUp { worker }),
                Phase::LookedUp { .. } if self.kills(state, worker) => steps.push(Step::Kill { worker }),
                Phase::LookedUp { .. } => {
                    steps.extend(
                        self.choices(state, worker).map(|flaky_fails| Step::Commit { worker, flaky_fails }),
                    );
                }
                Phase::Emitting { .. } => steps.push(Step::Publish { worker }),
                Phase::Confirmed => steps.push(Step::Acknowledge { worker }),
                Phase::Idle | Phase::Redelivered | Phase::Ready { .. } => {}
            }
        }
        steps.extend((0..state.delayed.len()).map(|message| Step::Expire { message }));
        steps.extend((0..state.downstream.len()).map(|follow_up| Step::Hear { follow_up }));
        if !state.database_up {
            steps.push(Step::DatabaseReturns);
        }
    }

    /// The state after a step.
    pub fn after(&self, state: &State, step: Step) -> State {
        let mut state = state.clone();
        match step {
            Step::Deliver { worker, message } => {
                let message = state.queue.remove(message);
                state.workers[worker].buffer.push(message);
            }
            Step::Gather { worker } => self.gather(&mut state, worker),
            Step::RecordStart { worker } => self.record_start(&mut state, worker),
            Step::LookUp { worker } => self.look_up(&mut state, worker),
            Step::Commit { worker, flaky_fails } => {
                if let Some(outgoing) = self.commit(&mut state, worker, flaky_fails) {
                    self.emit(&mut state.workers[worker], outgoing);
                }
            }
            Step::Kill { worker } => {
                state.kills += 1;
                self.crash(&mut state, worker);
            }
            Step::Publish { worker } => {
                self.place(&mut state, worker);
                advance(&mut state.workers[worker]);
            }
            Step::Acknowledge { worker } => state.workers[worker].start_over(),
            Step::Expire { message } => {
                let message = state.delayed.remove(message);
                state.queue.push(Message { returns: 0, ..message });
            }
            Step::Hear { follow_up } => {
                let follow_up = state.downstream.remove(follow_up);
                hear(&mut state, follow_up);
            }
            Step::DatabaseReturns => state.database_up = true,
            Step::Fault(fault) => self.fail(&mut state, fault),
        }
        state.canonical()
    }

    /// Whether deciding the batch ends the process.
    pub fn kills(&self, state: &State, worker: usize) -> bool {
        let Worker { batch, phase: Phase::LookedUp { given_up: false, seen }, .. } = &state.workers[worker]
        else {
            return false;
        };
        batch.iter().any(|message| state.kinds[message.command] == Kind::Killer && !seen[message.command])
    }

    pub fn choices(&self, state: &State, worker: usize) -> impl Iterator<Item = bool> {
        let flaky = |message: &Message| state.kinds[message.command] == Kind::Flaky;
        let open = state.workers[worker].batch.iter().any(flaky);
        [false, true].into_iter().filter(move |fails| open || !fails)
    }
}

pub fn hear(state: &mut State, follow_up: FollowUp) {
    if !state.delivered.contains(&follow_up) {
        state.delivered.push(follow_up);
    }
}
