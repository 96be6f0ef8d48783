//! S10: nobody holds on to a transaction, and there are no more sessions than there should be.

use super::Violation;
use crate::evidence::Evidence;

/// A transaction under way is no sin; one that nobody goes on with is.
const HANGING_S: f64 = 2.0;

pub fn sound(evidence: &Evidence) -> Vec<Violation> {
    let mut hanging = Violation::of("S10", "a session holds a transaction open and does nothing");
    for session in &evidence.sessions {
        if session.state.starts_with("idle in transaction") && session.idle_s > HANGING_S {
            hanging
                .seen(|| format!("{}: {} for {:.0} s", session.application, session.state, session.idle_s));
        }
    }
    let mut many =
        Violation::of("S10", "there are more sessions than lanes and APIs need: some were left behind");
    let count = evidence.sessions.len();
    if evidence.sessions_max.is_some_and(|max| count > max) {
        many.seen(|| format!("{count} sessions"));
    }
    vec![hanging, many]
}
