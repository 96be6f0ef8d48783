//! The verdict: for programs as JSON, for people as sentences.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use millrace_testkit::figures::Durations;
use serde_json::json;

use crate::checker::quiet::Quiet;
use crate::error::Error;
use crate::evidence::Evidence;
use crate::history::Answer;
use crate::invariants::{self, Violation};

/// Whether the promise held, and the numbers that this rests on.
#[derive(Debug)]
pub struct Verdict {
    pub holds: bool,
    pub violations: Vec<Violation>,
    pub counts: BTreeMap<&'static str, u64>,
    pub recovery: BTreeMap<&'static str, Durations>,
    quiet: Option<Quiet>,
}

impl Verdict {
    pub fn new(
        evidence: &Evidence,
        mut violations: Vec<Violation>,
        recovery: BTreeMap<&'static str, Durations>,
        quiet: Option<Quiet>,
    ) -> Self {
        if let Some(Quiet::No { what }) = &quiet {
            let mut noise =
                Violation::of("L1", "it never became quiet: something was still under way at the end");
            noise.seen(|| what.clone());
            violations.insert(0, noise);
        }
        Self { holds: violations.is_empty(), violations, counts: counts(evidence), recovery, quiet }
    }

    /// Writes it where people look for it later.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let Self { holds, violations, counts, .. } = self;
        let recovery: BTreeMap<_, _> =
            self.recovery.iter().map(|(after, it)| (after, it.to_string())).collect();
        let verdict =
            json!({"holds": holds, "violations": violations, "counts": counts, "recovery": recovery});
        std::fs::write(path, format!("{verdict:#}\n")).map_err(Error::file(path))
    }

    /// The rules that do not hold, in one line.
    pub fn broken(&self) -> String {
        let broken = self.violations.iter().map(|it| format!("{} ({})", it.rule, it.count));
        broken.collect::<Vec<_>>().join(", ")
    }
}

fn counts(evidence: &Evidence) -> BTreeMap<&'static str, u64> {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let answers =
        |is: fn(&Answer) -> bool| count(evidence.history.submits.iter().filter(|it| is(&it.answer)).count());
    let rows = |status: &str| count(evidence.ledger.iter().filter(|entry| entry.status == status).count());
    let letters: HashSet<&str> = evidence.letters.iter().map(|letter| letter.message_id.as_str()).collect();
    let mut attempts: HashMap<_, u64> = HashMap::new();
    for note in evidence.notes.iter().filter(|note| note.status == "retrying") {
        *attempts.entry((note.handler, note.message_id)).or_default() += 1;
    }
    let handled: HashSet<_> = evidence.ledger.iter().map(|entry| entry.message_id).collect();
    let copied: HashSet<_> = evidence.history.copies.iter().map(|copy| copy.message_id).collect();
    let unknown_done = {
        let origins = evidence.origins();
        count(
            origins.values().flatten().filter(|submit| matches!(submit.answer, Answer::Unknown(..))).count(),
        )
    };
    BTreeMap::from([
        ("jobs_sent", count(evidence.history.submits.len())),
        ("jobs_ok", answers(|answer| matches!(answer, Answer::Accepted(_)))),
        ("jobs_failed", answers(|answer| matches!(answer, Answer::Refused(_)))),
        ("jobs_unknown", answers(|answer| matches!(answer, Answer::Unknown(..)))),
        ("jobs_unknown_that_were_done", unknown_done),
        ("messages_handled", count(evidence.ledger.len())),
        ("messages_succeeded", rows("succeeded")),
        ("messages_refused", rows("refused")),
        ("messages_dead", rows("dead")),
        ("messages_retried", count(attempts.len())),
        ("retries", attempts.values().sum()),
        ("changes_of_rows", count(evidence.effects.len())),
        ("orders", count(evidence.orders.len())),
        ("copies_injected", evidence.history.copies.iter().map(|copy| u64::from(copy.copies)).sum()),
        ("copied_messages_handled_once", count(copied.intersection(&handled).count())),
        ("poison_injected", count(evidence.history.poison.len())),
        ("dead_letters", count(letters.len())),
        ("dead_letters_with_copies", count(evidence.letters.len())),
        ("sessions", count(evidence.sessions.len())),
        ("faults", count(evidence.faults.len())),
    ])
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.counts {
            writeln!(f, "checker: {count:>9} {}", what.replace('_', " "))?;
        }
        if let Some(Quiet::Yes { after }) = &self.quiet {
            writeln!(f, "checker: quiet {:.1} s after it was healed", after.as_secs_f64())?;
        }
        for (name, took) in self.recovery.iter().filter(|(_, took)| took.count() > 0) {
            writeln!(f, "checker: {name}: {took}")?;
        }
        for rule in &invariants::ALL {
            let broken: Vec<_> =
                self.violations.iter().filter(|violation| violation.rule == rule.name).collect();
            let mark = if broken.is_empty() { "holds   " } else { "VIOLATED" };
            writeln!(f, "  {mark}  {:<3}  {}", rule.name, rule.says)?;
            broken.iter().try_for_each(|violation| tell(f, violation))?;
        }
        for violation in
            self.violations.iter().filter(|it| invariants::ALL.iter().all(|rule| rule.name != it.rule))
        {
            writeln!(f, "  VIOLATED  {:<3}  all becomes quiet in time", violation.rule)?;
            tell(f, violation)?;
        }
        match self.holds {
            true => write!(f, "VERDICT: the promise held"),
            false => write!(f, "VERDICT: THE PROMISE WAS VIOLATED"),
        }
    }
}

fn tell(f: &mut fmt::Formatter<'_>, violation: &Violation) -> fmt::Result {
    writeln!(f, "                 {} times: {}", violation.count, violation.meaning)?;
    violation.examples.iter().try_for_each(|example| writeln!(f, "                   - {example}"))
}
