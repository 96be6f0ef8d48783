//! What a scenario says in the end, and the table of all of them.

use std::time::{Duration, Instant};

/// How a scenario went.
#[derive(Debug)]
pub struct Verdict {
    pub name: &'static str,
    pub took: Duration,
    /// What was measured, in one line.
    pub said: String,
    /// What is not as it must be.
    pub findings: Vec<String>,
}

/// A scenario that is under way.
#[derive(Debug)]
pub struct Trial {
    name: &'static str,
    started: Instant,
    findings: Vec<String>,
    /// Findings beyond those that are kept.
    more: usize,
}

/// The first of a kind tell all that there is to know.
const FINDINGS_MAX: usize = 20;

impl Trial {
    pub fn begin(name: &'static str) -> Self {
        println!("siege: {name} …");
        Self { name, started: Instant::now(), findings: Vec::new(), more: 0 }
    }

    /// Notes what is not as it must be.
    pub fn find(&mut self, finding: impl Into<String>) {
        match self.findings.len() {
            ..FINDINGS_MAX => self.findings.push(finding.into()),
            _ => self.more += 1,
        }
    }

    /// Notes a finding unless this is so.
    pub fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.find(otherwise());
        }
    }

    pub fn end(mut self, said: String) -> Verdict {
        if self.more > 0 {
            self.findings.push(format!("and {} more", self.more));
        }
        let verdict =
            Verdict { name: self.name, took: self.started.elapsed(), said, findings: self.findings };
        println!("  {verdict}");
        verdict.findings.iter().for_each(|finding| println!("    {finding}"));
        verdict
    }
}

impl Verdict {
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = if self.is_good() { "held" } else { "FAILED" };
        write!(f, "{:<9} {held:<7} {:>6.1} s  {}", self.name, self.took.as_secs_f64(), self.said)
    }
}

/// Prints all of them, and says whether all are good.
pub fn table(verdicts: &[Verdict], repeat: &str) -> bool {
    println!("\nsiege:");
    for verdict in verdicts {
        println!("  {verdict}");
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.is_good()).count();
    match failed {
        0 => println!("siege: the door holds"),
        _ => println!("siege: {failed} of {} failed; again with {repeat}", verdicts.len()),
    }
    failed == 0
}
