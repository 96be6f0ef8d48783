//! Counting: the program `instructions`, case by case, under callgrind.

use std::ffi::OsString;
use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::record::Counts;
use crate::cargo::{self, folder_of_runs, run_quietly};
use crate::error::Error;
use crate::tool;

/// Counted is what happens between the call of this function and its return; its name may end with a hash.
const COUNTED: &str = "instructions::case::counted*";

/// Which valgrind this is.
pub fn valgrind() -> Result<String, Error> {
    tool::need("valgrind")?;
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--version");
    Ok(run_quietly(valgrind)?.trim().to_owned())
}

/// What counts depend on, besides our code: the compiler, and the C library, whose allocator and copying are counted.
pub fn tools(valgrind: &str) -> Result<String, Error> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")));
    rustc.arg("--version");
    let mut getconf = Command::new("getconf");
    getconf.arg("GNU_LIBC_VERSION");
    let rustc = run_quietly(rustc)?;
    let libc = run_quietly(getconf).unwrap_or_default();
    Ok([rustc.trim(), std::env::consts::ARCH, libc.trim(), valgrind].join(", "))
}

/// Optimized like the released programs.
pub fn build() -> Result<PathBuf, Error> {
    let mut build = cargo::build(&["instructions"]);
    build.arg("--release");
    cargo::run(build)?;
    Ok(cargo::target().join("release/instructions"))
}

/// What each message costs in each case.
pub fn all(program: &Path) -> Result<Counts, Error> {
    let profiles = folder_of_runs()?.join("instructions");
    fs::create_dir_all(&profiles).map_err(Error::file(&profiles))?;
    let cases = run_quietly(Command::new(program))?;
    let mut counts = Counts::new();
    for line in cases.lines() {
        let Some((case, messages)) = line.split_once(' ') else { continue };
        let profile = profiles.join(format!("{}.callgrind", case.replace('/', ".")));
        let all_messages = count(program, case, &profile)?;
        let messages = messages.parse::<NonZeroU64>().map_or(1, NonZeroU64::get);
        counts.insert(case.to_owned(), all_messages / messages);
    }
    Ok(counts)
}

fn count(program: &Path, case: &str, profile: &Path) -> Result<u64, Error> {
    let mut callgrind = Command::new("valgrind");
    callgrind.arg("--tool=callgrind").arg(format!("--toggle-collect={COUNTED}"));
    let mut file = OsString::from("--callgrind-out-file=");
    file.push(profile);
    callgrind.arg(file);
    // By a name of the same length everywhere: where arguments lie in memory decides whether a text can grow in place.
    let (folder, name) = (program.parent().unwrap_or(program), program.file_name().unwrap_or_default());
    callgrind.current_dir(folder).arg(Path::new(".").join(name)).arg(case);
    run_quietly(callgrind)?;
    let text = fs::read_to_string(profile).map_err(Error::file(profile))?;
    total(&text).ok_or_else(|| Error::NothingCounted { case: case.to_owned(), function: COUNTED })
}

/// The sum over a profile, which is 0 when callgrind did not meet the function.
pub fn total(profile: &str) -> Option<u64> {
    let total = profile.lines().rev().find_map(|line| line.strip_prefix("totals: "))?;
    total.trim().parse().ok().filter(|total| *total > 0)
}
