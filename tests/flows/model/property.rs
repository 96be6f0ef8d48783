//! What must hold in every state of the model, and what some states must show for that to mean anything.

use stateright::Property;

use super::Pipeline;
use super::state::{COMMANDS, Command, FollowUp, Kind, Message, Phase, Row, State, Status, Why};
use super::steps::{ATTEMPTS_MAX, RUNS_MAX};

pub const ONE_EFFECT: &str = "a command takes effect once at most, and only with its ledger row";
pub const NO_PHANTOM: &str = "a follow-up goes out only after its ledger row, with the id that stands there";
pub const DELIVERED_ONCE: &str = "a command's follow-up is delivered once at most";
pub const NOTHING_LOST: &str = "nothing is acknowledged before all that follows from it is safe";
pub const ATTEMPTS: &str = "attempts stay within the policy and only failures use them up";
pub const ONLY_POISON_DIES: &str =
    "only poison is dead-lettered, and the broker's own limit is never reached";
pub const KILLS: &str = "a message that kills processes is given up after a few";
pub const ALL_DONE: &str =
    "when nothing is left to do, every message has ended and every follow-up was delivered";

type Condition = fn(&Pipeline, &State) -> bool;

/// What must always hold.
pub const ALWAYS: [(&str, Condition); 8] = [
    (ONE_EFFECT, one_effect),
    (NO_PHANTOM, no_phantom),
    (DELIVERED_ONCE, heard_once),
    (NOTHING_LOST, nothing_lost),
    (ATTEMPTS, attempts),
    (ONLY_POISON_DIES, only_poison_dies),
    (KILLS, kills),
    (ALL_DONE, all_done),
];

/// What must be reached, so that the rest is not true for want of opportunity.
const SOMETIMES: [(&str, Condition); 7] = [
    ("all is done", |model, state| model.is_quiet(state)),
    ("a retry succeeds", |_, state| {
        state.ledger.iter().flatten().any(|row| row.status == Status::Succeeded && row.attempt > 1)
    }),
    ("a killer is given up and its neighbour succeeds", |_, state| {
        state.dead.iter().any(|(_, why)| *why == Why::Crash) && state.succeeded(0)
    }),
    ("a worker commits what the broker has taken back", |_, state| {
        state.workers.iter().any(|at| !at.connected && matches!(at.phase, Phase::Emitting { .. }))
    }),
    ("both workers hold a copy of the same command", |_, state| {
        let [one, other] = &state.workers;
        one.batch.iter().any(|message| other.batch.iter().any(|same| same.command == message.command))
    }),
    // Both had the message, one failed for the last time and the other, which had lost its deliveries, did not.
    ("a command succeeds whose dead letter is there already", |_, state| {
        COMMANDS.into_iter().any(|command| state.succeeded(command) && state.is_dead(command))
    }),
    ("a batch has two messages", |_, state| state.workers.iter().any(|at| at.batch.len() == 2)),
];

pub fn all() -> Vec<Property<Pipeline>> {
    let always = ALWAYS.into_iter().map(|(name, holds)| Property::always(name, holds));
    let sometimes = SOMETIMES.into_iter().map(|(name, holds)| Property::sometimes(name, holds));
    always.chain(sometimes).collect()
}

fn one_effect(_: &Pipeline, state: &State) -> bool {
    COMMANDS.into_iter().all(|command| state.effects[command] == u8::from(state.succeeded(command)))
}

fn no_phantom(_: &Pipeline, state: &State) -> bool {
    let stored =
        |follow_up: &FollowUp| state.ledger[follow_up.of].and_then(|row| row.emitted) == Some(*follow_up);
    state.downstream.iter().chain(&state.delivered).all(stored)
}

fn heard_once(_: &Pipeline, state: &State) -> bool {
    COMMANDS
        .into_iter()
        .all(|command| state.delivered.iter().filter(|follow_up| follow_up.of == command).count() <= 1)
}

fn nothing_lost(_: &Pipeline, state: &State) -> bool {
    COMMANDS.into_iter().all(|command| state.pending(command) || ended(state, command))
}

/// Settled for good, with what follows from it out of our hands. A dead letter can be sent again by an operator, and
/// then even follow-ups that are stored in the ledger go out.
fn ended(state: &State, command: Command) -> bool {
    match state.ledger[command] {
        _ if state.is_dead(command) => true,
        Some(Row { status: Status::Succeeded, emitted: Some(emitted), .. }) => {
            state.downstream.contains(&emitted) || state.delivered.contains(&emitted)
        }
        Some(row) => row.status == Status::Refused,
        None => false,
    }
}

fn attempts(_: &Pipeline, state: &State) -> bool {
    let held = state.workers.iter().flat_map(|at| at.buffer.iter().chain(&at.batch));
    let allowed = |message: &Message| match state.kinds[message.command] {
        Kind::Flaky | Kind::Broken => message.attempt <= ATTEMPTS_MAX,
        Kind::Good | Kind::Refused | Kind::Unreadable | Kind::Killer => message.attempt == 1,
    };
    state.delayed.iter().all(|message| message.attempt > 1)
        && state.queue.iter().chain(&state.delayed).chain(held).all(allowed)
}

fn only_poison_dies(_: &Pipeline, state: &State) -> bool {
    state.dead.iter().all(|(command, why)| match why {
        Why::DeliveryLimit => false,
        // One run in the company of a killer, and one that the other worker has begun and not ended, look alike.
        Why::Crash => state.kinds[*command] == Kind::Killer || state.crashes + 2 >= RUNS_MAX,
        Why::Unreadable => state.kinds[*command] == Kind::Unreadable,
        Why::Attempts => matches!(state.kinds[*command], Kind::Flaky | Kind::Broken),
    })
}

/// Once before it came back, then as often as that is written down, and once more for each copy that the publisher sent.
fn kills(_: &Pipeline, state: &State) -> bool {
    state.kills <= 1 + RUNS_MAX + state.copies
}

fn all_done(model: &Pipeline, state: &State) -> bool {
    let delivered = |command: Command| state.delivered.iter().any(|follow_up| follow_up.of == command);
    !model.is_quiet(state)
        || COMMANDS.into_iter().all(|command| {
            !state.pending(command)
                && ended(state, command)
                && (delivered(command) || !state.succeeded(command) || state.is_dead(command))
        })
}
