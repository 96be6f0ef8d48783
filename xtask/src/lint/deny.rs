//! Dependencies: licences, sources, duplicates and known vulnerabilities, by cargo-deny.

use super::Outcome;
use crate::cargo::{cargo, run, run_quietly};
use crate::error::Error;

pub fn check() -> Result<Outcome, Error> {
    if run_quietly(cargo(&["deny", "--version"])).is_err() {
        println!("cargo-deny is not installed; installing it (once, some minutes)");
        run(cargo(&["install", "cargo-deny", "--locked", "--quiet"]))?;
    }
    run(cargo(&["deny", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    // The database of vulnerabilities is on the internet, which not every machine can reach.
    if let Err(error) = run_quietly(cargo(&["deny", "fetch", "db"])) {
        let text = error.to_string();
        let reason = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        return Ok(Outcome::Undone(format!(
            "known vulnerabilities: their database cannot be fetched ({reason})"
        )));
    }
    run(cargo(&["deny", "check", "--hide-inclusion-graph", "--disable-fetch", "advisories"]))?;
    Ok(Outcome::Passed)
}
