//! Random schedules: one walk through the model per seed, to its end, with more faults than can be explored.

use millrace_testkit::random::Random;
use stateright::Model;

use super::Pipeline;
use super::property::ALWAYS;
use super::state::State;

/// No walk is that long: every step uses up something of which there is only so much.
const STEPS_MAX: usize = 5_000;

/// Walks until nothing can happen any more; the number of steps, or what was broken on the way.
pub fn walk(model: &Pipeline, seed: u64) -> Result<usize, String> {
    let mut random = Random::seeded(seed);
    let mut initial = model.init_states();
    let mut state: State = initial.swap_remove(random.below(initial.len()));
    let (mut steps, mut trail) = (Vec::new(), Vec::new());
    loop {
        if let Some((broken, _)) = ALWAYS.iter().find(|(_, holds)| !holds(model, &state)) {
            return Err(format!("seed {seed}: not true that {broken}, after {trail:#?} in {state:#?}"));
        }
        steps.clear();
        model.actions(&state, &mut steps);
        if steps.is_empty() {
            return Ok(trail.len());
        }
        if trail.len() == STEPS_MAX {
            return Err(format!("seed {seed}: no end after {STEPS_MAX} steps, in {state:#?}"));
        }
        let step = steps[random.below(steps.len())];
        state = model.after(&state, step);
        trail.push(step);
    }
}
