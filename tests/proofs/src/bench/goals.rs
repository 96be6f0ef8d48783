//! The goals, and whether they were reached.

use self::Asked::{AtLeast, AtMost, Nothing};
use self::Measured::{Most, Ratio, Value};
use crate::bench::results::{Results, Spread, figure};

/// What a goal compares.
#[derive(Debug, Clone, Copy)]
enum Measured {
    /// The first result divided by the second, within the same round.
    Ratio(&'static str, &'static str),
    /// A result by itself.
    Value(&'static str),
    /// The highest median of all results with this prefix.
    Most(&'static str),
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    AtLeast(f64),
    AtMost(f64),
    /// No limit: shown beside the goals, because the bare client of the goals is not the fastest possible.
    Nothing,
}

const GOALS: [(&str, Measured, Asked); 14] = [
    ("the API at 64 connections : bare publish", Ratio("api.64.rate", "bare.publish"), AtLeast(0.75)),
    ("the API at 64 connections, p99, ms", Value("api.64.p99"), AtMost(15.0)),
    ("a worker : bare publish", Ratio("worker", "bare.publish"), AtLeast(0.6)),
    (
        "messages handled in the whole flow : bare publish",
        Ratio("flow.messages", "bare.publish"),
        AtLeast(0.5),
    ),
    ("a worker with a large ledger : with an empty one", Ratio("worker grown", "worker"), AtLeast(0.9)),
    ("from the post to the commit at 50/s, p50, ms", Value("latency.50.committed.p50"), AtMost(6.0)),
    ("from the post to the commit at 50/s, p99, ms", Value("latency.50.committed.p99"), AtMost(25.0)),
    ("memory of a program at rest, the most, MiB", Most("idle.rss."), AtMost(15.0)),
    ("memory of a program under load, the most, MiB", Most("flow.rss."), AtMost(64.0)),
    ("from start to ready, the longest, ms", Most("start."), AtMost(300.0)),
    ("all programs at rest, % of a core", Value("idle.cpu percent"), AtMost(1.0)),
    (
        "the API at 64 connections : bare publish, 64 unconfirmed",
        Ratio("api.64.rate", "bare.publish 64"),
        Nothing,
    ),
    ("a worker : bare publish, pipelined", Ratio("worker", "bare.publish pipelined"), Nothing),
    (
        "messages handled in the whole flow : bare publish, pipelined",
        Ratio("flow.messages", "bare.publish pipelined"),
        Nothing,
    ),
];

/// A goal with its limit, what was measured, and whether that reaches it.
#[derive(Debug)]
pub struct Reached {
    pub what: &'static str,
    pub asked: String,
    pub measured: Spread,
    pub verdict: String,
}

/// Of all goals, those that were measured.
pub fn reached(results: &Results) -> impl Iterator<Item = Reached> {
    GOALS.into_iter().filter_map(|(what, measured, asked)| {
        let measured = match measured {
            Ratio(name, to) => results.ratio(name, to)?,
            Value(name) => results.spread(name)?,
            Most(prefix) => results.most(prefix)?,
        };
        let (asked, verdict) = match asked {
            AtLeast(limit) => (format!("≥ {}", figure(limit)), verdict(measured.median / limit)),
            AtMost(limit) => (format!("≤ {}", figure(limit)), verdict(limit / measured.median)),
            Nothing => (String::new(), String::new()),
        };
        Some(Reached { what, asked, measured, verdict })
    })
}

/// `kept` is 1 where the limit is just reached, and more where it is exceeded.
fn verdict(kept: f64) -> String {
    if kept >= 1.0 { "reached".to_owned() } else { format!("missed by {:.0} %", (1.0 - kept) * 100.0) }
}

/// Prints all goals that were measured.
pub fn print(results: &Results) {
    println!("\nbench: {:<57} {:>8} {:>28}", "goals", "asked", "median (lowest–highest)");
    for Reached { what, asked, measured, verdict } in reached(results) {
        println!("  {what:<62} {asked:>8} {:>28}  {verdict}", measured.to_string());
    }
}
