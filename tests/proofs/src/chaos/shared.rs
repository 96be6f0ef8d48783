//! What everybody who breaks things shares: the programs, the ways between, the record of faults, and where they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_testkit::stack::{Reach, Units};

use crate::chaos::fault::Kind;
use crate::history::Fault;

/// Shared by the tracks, the sampler and the report.
#[derive(Debug)]
pub struct Shared {
    pub units: Units,
    /// The ways between.
    pub reach: Reach,
    faults: Mutex<Faults>,
    surprises: Mutex<Vec<String>>,
    whereabouts: Mutex<BTreeMap<&'static str, String>>,
}

#[derive(Debug)]
struct Faults {
    file: File,
    by_kind: BTreeMap<Kind, usize>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Faults are written to `faults.jsonl` in this folder.
    pub fn new(units: Units, reach: Reach, history: &Path) -> io::Result<Arc<Self>> {
        let file = File::create(history.join("faults.jsonl"))?;
        Ok(Arc::new(Self {
            units,
            reach,
            faults: Mutex::new(Faults { file, by_kind: BTreeMap::new() }),
            surprises: Mutex::default(),
            whereabouts: Mutex::default(),
        }))
    }

    /// A fault is over.
    pub fn record(&self, kind: Kind, mut fault: Fault) {
        fault.heals();
        let mut faults = locked(&self.faults);
        *faults.by_kind.entry(kind).or_default() += 1;
        let written = serde_json::to_string(&fault).map_err(io::Error::from);
        if let Err(error) = written.and_then(|line| writeln!(faults.file, "{line}")) {
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
}
