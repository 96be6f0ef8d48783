//! What people read at the end of a run.

use serde_json::Value;

use crate::chaos::run::Outcome;
use crate::chaos::sampler::Seen;
use crate::chaos::shared::Shared;

/// A debug build of a worker holds some 40 MiB; what goes beyond this has been leaked.
const RSS_MAX_KIB: u64 = 256 * 1024;

/// Prints the report of a campaign; whether all went as planned, whatever the verdict.
pub fn campaign(shared: &Shared, outcome: &Outcome, planned: usize, replay: &str) -> bool {
    println!("\nfaults");
    let faults = shared.faults();
    for (kind, count) in &faults {
        println!("  {kind:<20} {count:>5}");
    }
    let injected: usize = faults.values().sum();
    println!("  {:<20} {injected:>5} of {planned} planned, {} kinds", "all", faults.len());
    recovery(&outcome.verdict);
    let sane = resources(outcome);
    verdict(outcome);
    let surprises = shared.surprises();
    for surprise in &surprises {
        println!("unexpected: {surprise}");
    }
    println!("\nagain: {replay}");
    injected == planned && surprises.is_empty() && sane
}

/// What the programs held; whether that is sane.
pub fn resources(outcome: &Outcome) -> bool {
    println!(
        "\nmemory in MiB (first and last of the process that is there at the end, most of all its lives)"
    );
    println!("  {:<20} {:>7} {:>7} {:>7} {:>7} {:>7}", "program", "first", "last", "most", "files", "lives");
    let mib = |kib: u64| format!("{}.{}", kib / 1024, kib % 1024 * 10 / 1024);
    for (name, Seen { first, last, most_kib, most_files, lives, .. }) in &outcome.samples {
        println!(
            "  {name:<20} {:>7} {:>7} {:>7} {most_files:>7} {lives:>7}",
            mib(first.rss_kib),
            mib(last.rss_kib),
            mib(*most_kib)
        );
    }
    let greedy: Vec<&String> = outcome
        .samples
        .iter()
        .filter(|(_, seen)| seen.most_kib > RSS_MAX_KIB)
        .map(|(name, _)| name)
        .collect();
    for name in &greedy {
        println!("  {name} held more than {} MiB", RSS_MAX_KIB / 1024);
    }
    greedy.is_empty()
}

/// How long it took after faults, as the checker measured it, in milliseconds.
pub fn recovery(verdict: &Value) {
    let Some(recovery) = verdict["recovery"].as_object() else { return };
    println!("\nrecovery in seconds");
    println!("  {:<20} {:>8} {:>8} {:>8} {:>6}", "after", "p50", "p99", "max", "n");
    for (after, figures) in recovery {
        let figure = |name: &str| {
            figures[name].as_f64().map_or("-".to_owned(), |value| format!("{:.2}", value / 1000.0))
        };
        let count = figures["n"].as_u64().unwrap_or_default();
        println!("  {after:<20} {:>8} {:>8} {:>8} {count:>6}", figure("p50"), figure("p99"), figure("max"));
    }
}

/// Whether the promise held.
pub fn verdict(outcome: &Outcome) {
    let counts = outcome.counts;
    println!(
        "\n{} jobs sent, {} accepted, {} refused, {} unknown; {} messages settled; the verdict came {} s after all \
         was healed, {} s after the first job",
        counts.sent,
        counts.ok,
        counts.failed,
        counts.unknown,
        counts.settled,
        outcome.quiet_after.as_secs(),
        outcome.took.as_secs()
    );
    match outcome.status.code() {
        Some(0) => println!("VERDICT: the promise held"),
        Some(1) => {
            println!("VERDICT: the promise was broken");
            for violation in outcome.verdict["violations"].as_array().into_iter().flatten() {
                println!("  {} ({} times)", violation["rule"], violation["count"]);
            }
        }
        _ => println!("VERDICT: none; the checker ended with {}", outcome.status),
    }
}
