//! Looks at every program each second: what it holds, and whether it still runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_testkit::stack::resources::Resources;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::chaos::programs;
use crate::chaos::shared::Shared;

const EVERY: Duration = Duration::from_secs(1);

/// What was seen of a program over all of its lives.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Since its last start.
    pub first: Resources,
    /// At the end.
    pub last: Resources,
    /// The most memory of any of its lives.
    pub most_kib: u64,
    /// The most descriptors of any of its lives.
    pub most_files: usize,
    /// How many processes it has been.
    pub lives: usize,
    /// Seconds and KiB of the process that is there at the end.
    pub series: Vec<(f64, f64)>,
    pid: u32,
}

/// Samples by name, once the sampler has ended.
pub type Samples = BTreeMap<String, Seen>;

/// Starts looking; `resources.csv` in this folder has every look.
pub fn start(
    shared: Arc<Shared>,
    history: &Path,
    stop: CancellationToken,
) -> io::Result<AbortOnDropHandle<Samples>> {
    let mut file = File::create(history.join("resources.csv"))?;
    writeln!(file, "seconds,program,pid,rss_kib,files,threads")?;
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        let started = Instant::now();
        let mut samples = Samples::new();
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                _ = ticks.tick() => look(&shared, &mut samples, &mut file, started),
                () = stop.cancelled() => return samples,
            }
        }
    })))
}

fn look(shared: &Shared, samples: &mut Samples, file: &mut File, started: Instant) {
    for unit in shared.units.iter() {
        // One that is locked has a fault right now.
        let Ok(mut program) = Arc::clone(&unit.program).try_lock_owned() else { continue };
        if let Err(error) = programs::still_there(shared, &mut program) {
            shared.surprise(format!("{} cannot be started again: {error}", unit.name));
        }
        let Some(now) = program.resources() else { continue };
        let pid = program.pid();
        let line = format!(
            "{:.1},{},{pid},{},{},{}",
            started.elapsed().as_secs_f64(),
            unit.name,
            now.rss_kib,
            now.files,
            now.threads
        );
        // The report has what matters; the table is for looking closer.
        let _ = writeln!(file, "{line}");
        let seen = samples.entry(unit.name.clone()).or_insert(Seen {
            first: now,
            last: now,
            most_kib: 0,
            most_files: 0,
            lives: 0,
            series: Vec::new(),
            pid: 0,
        });
        if seen.pid != pid {
            (seen.first, seen.pid, seen.lives) = (now, pid, seen.lives + 1);
            seen.series.clear();
        }
        let kib = u32::try_from(now.rss_kib).unwrap_or(u32::MAX);
        seen.series.push((started.elapsed().as_secs_f64(), f64::from(kib)));
        seen.last = now;
        seen.most_kib = seen.most_kib.max(now.rss_kib);
        seen.most_files = seen.most_files.max(now.files);
    }
}
