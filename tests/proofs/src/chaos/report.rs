//! What a run has shown besides the verdict: what the programs held, and what nobody expected.

use crate::chaos::run::Outcome;
use crate::chaos::sampler::Seen;
use crate::report::Scenario;
use millrace_testkit::figures::mib;

/// A debug build of a worker holds some 40 MiB; what goes beyond this has been leaked.
const RSS_MAX_KIB: u64 = 256 * 1024;

/// Prints all of it, with the checker's verdict, and takes into the scenario what must not be.
pub fn take(outcome: &Outcome, scenario: &mut Scenario) {
    println!("\nfaults");
    for (kind, count) in &outcome.faults {
        println!("  {kind:<20} {count:>5}");
    }
    memory(outcome, scenario);
    let (quiet, took) = (outcome.quiet_after.as_secs(), outcome.took.as_secs());
    println!("\n{}", outcome.counts);
    println!("the verdict came {quiet} s after all was healed, {took} s after the first job");
    match &outcome.verdict {
        Ok(verdict) => {
            println!("{verdict}");
            scenario.require(verdict.holds, || format!("the promise was broken: {}", verdict.broken()));
        }
        Err(error) => scenario.violation(format!("there is no verdict: {error}")),
    }
    for surprise in &outcome.surprises {
        scenario.violation(format!("unexpected: {surprise}"));
    }
}

fn memory(outcome: &Outcome, scenario: &mut Scenario) {
    println!(
        "\nmemory in MiB (first and last of the process that is there at the end, most of all its lives)"
    );
    println!("  {:<20} {:>7} {:>7} {:>7} {:>7} {:>7}", "program", "first", "last", "most", "files", "lives");
    for (name, Seen { first, last, most_kib, most_files, lives, .. }) in &outcome.samples {
        let [first, last, most] = [first.rss_kib, last.rss_kib, *most_kib].map(mib);
        println!("  {name:<20} {first:>7.1} {last:>7.1} {most:>7.1} {most_files:>7} {lives:>7}");
        scenario.require(*most_kib <= RSS_MAX_KIB, || format!("{name} held {most:.0} MiB"));
    }
}
