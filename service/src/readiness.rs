//! Readiness: named checks of what a process needs. The process's own parts report them, and `/readyz` shows them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// The state of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// The checked part works.
    Ready,
    /// The checked part does not work, for this reason. `/readyz` shows it to everybody, so it must contain no secret.
    NotReady(String),
}

/// The checks of one process. Clones share them. The process is ready when every check is, and a check that several parts
/// report, such as the lanes of a worker, is ready when it is ready for each of them.
#[derive(Debug, Clone)]
pub struct Readiness {
    checks: Arc<Mutex<Checks>>,
}

/// By the check's name and the number of the part that reports it.
type Checks = BTreeMap<(&'static str, usize), Reported>;

#[derive(Debug, Clone)]
struct Reported {
    check: Check,
    at: Instant,
    valid_for: Option<Duration>,
}

impl Readiness {
    /// Checks with these names. Each is not ready until it is first reported.
    #[must_use]
    pub fn of(names: &[&'static str]) -> Self {
        Self { checks: Arc::default() }.with_parts(1, names)
    }

    /// Adds checks that each of `parts` parts reports by itself. Each is not ready until every part has reported it.
    #[must_use]
    pub fn with_parts(self, parts: usize, names: &[&'static str]) -> Self {
        let unknown = || Reported {
            check: Check::NotReady("has not been checked yet".to_owned()),
            at: Instant::now(),
            valid_for: None,
        };
        for name in names {
            self.lock().extend((0..parts).map(|part| ((*name, part), unknown())));
        }
        self
    }

    /// Reports the state of a check. It stays until the next report.
    pub fn set(&self, name: &'static str, check: Check) {
        self.set_part(name, 0, check);
    }

    /// Reports the state of a check for the part with this number, counted from 0. It stays until that part's next report.
    pub fn set_part(&self, name: &'static str, part: usize, check: Check) {
        self.report(name, part, Reported { check, at: Instant::now(), valid_for: None });
    }

    /// Reports the state of a check. It expires after `valid_for`: a part that hangs thereby turns the process not ready.
    pub fn set_for(&self, name: &'static str, check: Check, valid_for: Duration) {
        self.report(name, 0, Reported { check, at: Instant::now(), valid_for: Some(valid_for) });
    }

    /// Turns the process not ready because it is stopping, so that a load balancer sends no new requests.
    pub fn stopping(&self) {
        let check = Check::NotReady("the process is stopping".to_owned());
        // Not through `report`, which logs a warning: stopping is no fault.
        self.lock().insert(("running", 0), Reported { check, at: Instant::now(), valid_for: None });
    }

    /// The current state of all checks.
    pub(crate) fn now(&self) -> Report {
        let mut checks = BTreeMap::new();
        for ((name, _), reported) in self.lock().iter() {
            let report = CheckReport::of(reported);
            let known = checks.entry(*name).or_insert_with(|| report.clone());
            if known.ready {
                *known = report;
            }
        }
        Report { ready: checks.values().all(|check| check.ready), checks }
    }

    fn report(&self, name: &'static str, part: usize, reported: Reported) {
        let mut checks = self.lock();
        let before = state(&checks, name);
        checks.insert((name, part), reported);
        let now = state(&checks, name);
        drop(checks);
        metrics::gauge!("millrace_ready", "check" => name).set(if now == Check::Ready { 1.0 } else { 0.0 });
        if now != before {
            match now {
                Check::Ready => tracing::info!(check = name, "Ready: {name}"),
                Check::NotReady(reason) => tracing::warn!(check = name, "Not ready: {name}: {reason}"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Checks> {
        // The map is consistent after every statement, so a panic elsewhere can't have left it half changed.
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A check's state: that of the first part for which it is not ready, if there is one.
fn state(checks: &Checks, name: &'static str) -> Check {
    let mut parts = checks.range((name, 0)..=(name, usize::MAX)).map(|(_, reported)| &reported.check);
    parts.find(|check| **check != Check::Ready).cloned().unwrap_or(Check::Ready)
}

/// The body of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    pub ready: bool,
    pub checks: BTreeMap<&'static str, CheckReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CheckReport {
    pub ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl CheckReport {
    fn of(reported: &Reported) -> Self {
        let age = reported.at.elapsed();
        match &reported.check {
            Check::NotReady(reason) => Self { ready: false, reason: Some(reason.clone()) },
            Check::Ready if reported.valid_for.is_some_and(|limit| age > limit) => {
                let reason = format!("was last seen ready {} s ago", age.as_secs());
                Self { ready: false, reason: Some(reason) }
            }
            Check::Ready => Self { ready: true, reason: None },
        }
    }
}
