//! The report of every proof: a line for each of its scenarios, with what was measured and which rules were violated.

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How a scenario went.
#[derive(Debug)]
pub struct Outcome {
    name: String,
    took: Duration,
    /// In one line.
    measured: String,
    /// Empty if all rules held.
    violations: Vec<String>,
}

/// A scenario that is under way.
#[derive(Debug)]
pub struct Scenario {
    name: String,
    started: Instant,
    violations: Vec<String>,
    /// Violations beyond those that are kept.
    more: usize,
}

/// Further ones are only counted.
const VIOLATIONS_MAX: usize = 20;

impl Scenario {
    pub fn begin(name: impl Into<String>) -> Self {
        let name = name.into();
        println!("── {name}");
        Self { name, started: Instant::now(), violations: Vec::new(), more: 0 }
    }

    /// Tells a figure on the way.
    pub fn note(&self, line: impl AsRef<str>) {
        println!("  {}", line.as_ref());
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

    pub fn end(mut self, measured: impl Into<String>) -> Outcome {
        if self.more > 0 {
            self.violations.push(format!("and {} more", self.more));
        }
        let Self { name, violations, started, .. } = self;
        let outcome = Outcome { name, took: started.elapsed(), measured: measured.into(), violations };
        println!("  {outcome}");
        outcome.violations.iter().for_each(|violation| println!("    VIOLATED: {violation}"));
        outcome
    }
}

impl Outcome {
    fn held(&self) -> bool {
        self.violations.is_empty()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = if self.held() { "held" } else { "FAILED" };
        write!(f, "{:<20} {held:<7} {:>6.1} s  {}", self.name, self.took.as_secs_f64(), self.measured)
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

/// Whether it held, for whoever started us.
pub fn code(holds: bool) -> ExitCode {
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
