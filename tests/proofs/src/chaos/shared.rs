//! What everybody who breaks things shares: the programs, the ways between, the record of faults, and where they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_testkit::services::watchdog::Watchdog;
use millrace_testkit::stack::{Reach, Role, Unit};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::chaos::fault::{Kind, Target};

const RFC3339: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// Shared by the tracks, the sampler and the report.
#[derive(Debug)]
pub struct Shared {
    /// The programs.
    pub units: Vec<Unit>,
    /// The ways between.
    pub reach: Reach,
    /// Ends what is started.
    pub watchdog: Arc<Watchdog>,
    faults: Mutex<Faults>,
    surprises: Mutex<Vec<String>>,
    whereabouts: Mutex<BTreeMap<&'static str, String>>,
}

#[derive(Debug)]
struct Faults {
    file: File,
    by_kind: BTreeMap<Kind, usize>,
}

/// When a fault was what.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// It began.
    pub started: OffsetDateTime,
    /// What was done is undone.
    pub healed: OffsetDateTime,
    /// A server that was away answered again.
    pub back: Option<OffsetDateTime>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Faults are written to `faults.jsonl` in this folder.
    pub fn new(
        units: Vec<Unit>,
        reach: Reach,
        watchdog: Arc<Watchdog>,
        history: &Path,
    ) -> io::Result<Arc<Self>> {
        let file = File::create(history.join("faults.jsonl"))?;
        Ok(Arc::new(Self {
            units,
            reach,
            watchdog,
            faults: Mutex::new(Faults { file, by_kind: BTreeMap::new() }),
            surprises: Mutex::default(),
            whereabouts: Mutex::default(),
        }))
    }

    /// A fault is over.
    pub fn record(&self, kind: Kind, target: &Target, times: Times) {
        let text = |time: OffsetDateTime| time.format(RFC3339).unwrap_or_default();
        let line = json!({
            "kind": kind.name(),
            "target": target.to_string(),
            "domain": self.domain_of(kind, target),
            "started_at": text(times.started),
            "healed_at": text(times.healed),
            "back_at": times.back.map(text),
        });
        let mut faults = locked(&self.faults);
        *faults.by_kind.entry(kind).or_default() += 1;
        if let Err(error) = writeln!(faults.file, "{line}") {
            self.surprise(format!("faults.jsonl cannot be written: {error}"));
        }
    }

    /// How many there were, of each kind.
    pub fn faults(&self) -> BTreeMap<Kind, usize> {
        locked(&self.faults).by_kind.clone()
    }

    /// Something that should not have happened.
    pub fn surprise(&self, what: String) {
        eprintln!("chaos: UNEXPECTED: {what}");
        locked(&self.surprises).push(what);
    }

    /// All of that.
    pub fn surprises(&self) -> Vec<String> {
        locked(&self.surprises).clone()
    }

    /// What this one is doing now, for the case that it never ends.
    pub fn at(&self, who: &'static str, what: String) {
        locked(&self.whereabouts).insert(who, what);
    }

    /// What everybody was doing last.
    pub fn whereabouts(&self) -> String {
        locked(&self.whereabouts).iter().map(|(who, what)| format!("  {who}: {what}\n")).collect()
    }

    /// The program of this name.
    pub fn unit(&self, name: &str) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.name == name)
    }

    /// All workers of a domain, in order.
    pub fn workers_of(&self, domain: &str) -> Vec<&Unit> {
        let works = |unit: &&Unit| matches!(&unit.role, Role::Worker(of) if of == domain);
        self.units.iter().filter(works).collect()
    }

    /// All workers.
    pub fn workers(&self) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(|unit| unit.role != Role::Api)
    }

    fn domain_of(&self, kind: Kind, target: &Target) -> Option<String> {
        match target {
            Target::Domain(domain) if kind == Kind::DomainKilled => Some((*domain).to_owned()),
            Target::Program(name) => match &self.unit(name)?.role {
                Role::Worker(domain) => Some(domain.clone()),
                Role::Api => None,
            },
            _ => None,
        }
    }
}
