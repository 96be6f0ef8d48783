//! The report of a proof that consists of scenarios: a line for each, with what was measured and which rules were violated.

use std::time::{Duration, Instant};

/// How a scenario went.
#[derive(Debug)]
pub struct Outcome {
    pub name: &'static str,
    pub took: Duration,
    /// What was measured, in one line.
    pub measured: String,
    /// Empty if all rules held.
    pub violations: Vec<String>,
}

/// A scenario that is under way.
#[derive(Debug)]
pub struct Scenario {
    name: &'static str,
    started: Instant,
    violations: Vec<String>,
    /// Violations beyond those that are kept.
    more: usize,
}

/// Further ones are only counted.
const VIOLATIONS_MAX: usize = 20;

impl Scenario {
    pub fn begin(name: &'static str) -> Self {
        println!("── {name}");
        Self { name, started: Instant::now(), violations: Vec::new(), more: 0 }
    }

    /// Reports a violation.
    pub fn violation(&mut self, violation: impl Into<String>) {
        match self.violations.len() {
            ..VIOLATIONS_MAX => self.violations.push(violation.into()),
            _ => self.more += 1,
        }
    }

    /// Reports a violation unless this holds.
    pub fn require(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.violation(otherwise());
        }
    }

    pub fn end(mut self, measured: String) -> Outcome {
        if self.more > 0 {
            self.violations.push(format!("and {} more", self.more));
        }
        let outcome =
            Outcome { name: self.name, took: self.started.elapsed(), measured, violations: self.violations };
        println!("  {outcome}");
        outcome.violations.iter().for_each(|violation| println!("    {violation}"));
        outcome
    }
}

impl Outcome {
    pub fn held(&self) -> bool {
        self.violations.is_empty()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = if self.held() { "held" } else { "FAILED" };
        write!(f, "{:<9} {held:<7} {:>6.1} s  {}", self.name, self.took.as_secs_f64(), self.measured)
    }
}

/// Prints all outcomes and how to repeat a run that failed; whether every scenario held.
pub fn table(proof: &str, outcomes: &[Outcome], repeat: &str) -> bool {
    println!("\n{proof}:");
    for outcome in outcomes {
        println!("  {outcome}");
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.held()).count();
    match failed {
        0 => println!("{proof}: all scenarios held"),
        _ => println!("{proof}: {failed} of {} scenarios failed; repeat with {repeat}", outcomes.len()),
    }
    failed == 0
}
