//! The pipeline as a state machine: every order in which two workers, the broker and the database can get on with two
//! messages and what follows from them, while processes die, connections break, and answers get lost.
//!
//! `state` is what there is, `steps`, `work` and `faults` what can happen, `property` what must hold, `mutant` what each property must find.
//! The steps are those of the runtime (`millrace_workers::runtime`). What a message says and what a domain makes of it
//! is left out but for its outcome; so is time: whatever may happen at some time may happen now. What was redelivered is processed
//! in company once and then alone; the runtime has one more step in between.

mod faults;
mod mutant;
mod property;
mod state;
mod steps;
mod walk;
mod work;

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Property};

use mutant::{Found, Mutant};
use state::{Budget, Kind, State};
use steps::Step;

/// Where the exploration begins, and what was left out of the pipeline.
#[derive(Debug, Clone)]
pub struct Pipeline {
    begin: Vec<State>,
    mutant: Option<Mutant>,
}

impl Pipeline {
    /// A good command beside each of these others, while this much may go wrong.
    fn beside(cases: &[(Kind, Budget)]) -> Self {
        let begin = cases.iter().map(|(other, budget)| State::new([Kind::Good, *other], *budget));
        Self { begin: begin.collect(), mutant: None }
    }

    /// Whether nothing is left to do.
    fn is_quiet(&self, state: &State) -> bool {
        let mut steps = Vec::new();
        self.steps(state, &mut steps);
        steps.is_empty()
    }
}

impl Model for Pipeline {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        self.begin.clone()
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        self.steps(state, steps);
        if !steps.is_empty() {
            self.faults(state, steps);
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        Some(self.after(state, step))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        property::all()
    }
}

const fn budget(crashes: u8, mishaps: u8) -> Budget {
    Budget { crashes, mishaps }
}

/// What is explored to the last state in a few seconds. A command that is tried again has many more ways to go.
const EACH_RUN: [(Kind, Budget); 13] = [
    (Kind::Good, budget(3, 0)),
    (Kind::Good, budget(1, 1)),
    (Kind::Refused, budget(3, 0)),
    (Kind::Refused, budget(1, 1)),
    (Kind::Unreadable, budget(3, 0)),
    (Kind::Unreadable, budget(1, 1)),
    (Kind::Killer, budget(3, 0)),
    (Kind::Killer, budget(0, 1)),
    (Kind::Flaky, budget(1, 0)),
    (Kind::Flaky, budget(0, 1)),
    (Kind::Broken, budget(1, 0)),
    (Kind::Broken, budget(0, 1)),
    (Kind::Broken, budget(2, 0)),
];
/// Fewer states than this, and a step has gone missing.
const STATES_MIN: usize = 200_000;

/// What `MODEL_DEEP=1` explores instead; better optimized, and with some gigabytes of memory.
const DEEP: [(Kind, Budget); 10] = [
    (Kind::Good, budget(2, 1)),
    (Kind::Refused, budget(2, 1)),
    (Kind::Unreadable, budget(2, 1)),
    (Kind::Killer, budget(2, 1)),
    (Kind::Killer, budget(3, 0)),
    (Kind::Flaky, budget(3, 0)),
    (Kind::Flaky, budget(1, 1)),
    (Kind::Broken, budget(3, 0)),
    (Kind::Broken, budget(1, 1)),
    (Kind::Broken, budget(0, 2)),
];

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |given| given.parse().expect("a number"))
}

#[test]
fn every_schedule_keeps_the_promises() {
    let started = Instant::now();
    let cases = if number("MODEL_DEEP", 0) == 0 { EACH_RUN.as_slice() } else { &DEEP };
    let checker = Pipeline::beside(cases).checker().threads(2).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    eprintln!("model: {states} states, up to {depth} steps deep, {:.1} s", started.elapsed().as_secs_f64());
    checker.assert_properties();
    assert!(states > STATES_MIN, "{states} states are fewer than there were: is a step gone?");
}

#[test]
fn every_mutant_is_found_by_the_property_that_is_for_it() {
    for Found { mutant, by, beside, budget } in mutant::ALL {
        let model = Pipeline { mutant: Some(mutant), ..Pipeline::beside(&[(beside, budget)]) };
        let wanted = HasDiscoveries::AnyOf([by].into());
        let checker = model.checker().finish_when(wanted).spawn_bfs().join();
        let path = checker.discovery(by).unwrap_or_else(|| panic!("{mutant:?} is not found: {by}"));
        let states = checker.unique_state_count();
        eprintln!(
            "model: {mutant:?} is found within {states} states, in {} steps",
            path.into_actions().len()
        );
    }
}

#[test]
fn random_schedules_keep_the_promises() {
    let (first, walks) = (number("MODEL_SEED", 1), number("MODEL_WALKS", 50_000));
    let started = Instant::now();
    let kinds = [Kind::Good, Kind::Refused, Kind::Unreadable, Kind::Killer, Kind::Flaky, Kind::Broken];
    let model = Pipeline::beside(&kinds.map(|kind| (kind, budget(3, 4))));
    let mut steps = 0;
    for seed in first..first + walks {
        steps +=
            walk::walk(&model, seed).unwrap_or_else(|broken| panic!("{broken}\nagain: MODEL_SEED={seed}"));
    }
    eprintln!("model: {walks} walks of {steps} steps, {:.1} s", started.elapsed().as_secs_f64());
}
