//! What can go wrong in the model.

use super::Pipeline;
use super::mutant::Mutant;
use super::state::{Command, Message, Outgoing, Phase, State, Why};
use super::steps::{Step, hear};
use super::work::{advance, interrupt, publish_again};

const DELIVERY_LIMIT: u8 = 20;

/// What nobody wishes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Crash { worker: usize },
    Disconnect { worker: usize },
    CommitWithoutAnswer { worker: usize, flaky_fails: bool },
    PublishRefused { worker: usize },
    PublishUnconfirmed { worker: usize },
    HearAgain { follow_up: usize },
    DatabaseLeaves,
    Copy { command: Command },
}

impl Pipeline {
    /// Everything that may go wrong. Where nothing is left to do, nothing is left to go wrong either.
    pub fn faults(&self, state: &State, steps: &mut Vec<Step>) {
        let mut fault = |fault| steps.push(Step::Fault(fault));
        for (worker, at) in state.workers.iter().enumerate() {
            let busy = !(at.batch.is_empty() && at.buffer.is_empty());
            if state.budget.crashes > 0 && busy {
                fault(Fault::Crash { worker });
            }
            if state.budget.mishaps == 0 {
                continue;
            }
            if at.connected && busy {
                fault(Fault::Disconnect { worker });
            }
            match &at.phase {
                Phase::LookedUp { .. } if !self.kills(state, worker) => {
                    for flaky_fails in self.choices(state, worker) {
                        fault(Fault::CommitWithoutAnswer { worker, flaky_fails });
                    }
                }
                Phase::Emitting { .. } => {
                    fault(Fault::PublishRefused { worker });
                    fault(Fault::PublishUnconfirmed { worker });
                }
                _ => {}
            }
        }
        if state.budget.mishaps > 0 {
            (0..state.downstream.len()).for_each(|follow_up| fault(Fault::HearAgain { follow_up }));
            if state.database_up {
                fault(Fault::DatabaseLeaves);
            }
            for message in state.queue.iter().filter(|message| **message == Message::new(message.command)) {
                fault(Fault::Copy { command: message.command });
            }
        }
    }

    pub fn fail(&self, state: &mut State, fault: Fault) {
        match fault {
            Fault::Crash { .. } => state.budget.crashes -= 1,
            _ => state.budget.mishaps -= 1,
        }
        match fault {
            Fault::Crash { worker } => {
                state.crashes += 1;
                self.crash(state, worker);
            }
            Fault::Disconnect { worker } => {
                self.give_back(state, worker);
                let worker = &mut state.workers[worker];
                worker.connected = false;
                if worker.batch.is_empty() {
                    worker.start_over();
                }
            }
            // The worker can't tell, so it looks again.
            Fault::CommitWithoutAnswer { worker, flaky_fails } => {
                if self.commit(state, worker, flaky_fails).is_some() {
                    interrupt(&mut state.workers[worker]);
                }
            }
            Fault::PublishRefused { worker } => {
                if self.mutant == Some(Mutant::NackTakenForConfirm) {
                    advance(&mut state.workers[worker]);
                } else {
                    publish_again(&mut state.workers[worker]);
                }
            }
            Fault::PublishUnconfirmed { worker } => {
                self.place(state, worker);
                publish_again(&mut state.workers[worker]);
            }
            Fault::HearAgain { follow_up } => {
                let follow_up = state.downstream[follow_up];
                hear(state, follow_up);
            }
            Fault::DatabaseLeaves => {
                state.database_up = false;
                for worker in 0..state.workers.len() {
                    if !matches!(state.workers[worker].phase, Phase::LookedUp { .. }) {
                        continue;
                    }
                    if self.mutant == Some(Mutant::OutageUsesAttempt) {
                        let outgoing = state.workers[worker].batch.iter().map(|message| {
                            Outgoing::Retry(Message { attempt: message.attempt + 1, ..*message })
                        });
                        let outgoing = outgoing.collect();
                        self.emit(&mut state.workers[worker], outgoing);
                    } else {
                        interrupt(&mut state.workers[worker]);
                    }
                }
            }
            Fault::Copy { command } => {
                state.copies += 1;
                state.queue.push(Message::new(command));
            }
        }
    }

    pub fn crash(&self, state: &mut State, worker: usize) {
        self.give_back(state, worker);
        state.workers[worker].connected = false;
        state.workers[worker].start_over();
    }

    /// The broker takes back what is not acknowledged.
    fn give_back(&self, state: &mut State, worker: usize) {
        let returned: Vec<_> = state.workers[worker].unacknowledged().collect();
        state.workers[worker].buffer.clear();
        for message in returned {
            let returns = message.returns + 1;
            if returns > DELIVERY_LIMIT {
                state.dead.push((message.command, Why::DeliveryLimit));
            } else {
                state.queue.push(Message { returns, ..message });
            }
        }
    }
}
