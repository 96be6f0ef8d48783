//! A run: every scenario on a cluster of its own, from the first container to the verdict.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};

use crate::checker::options::{Injections, Workload};
use crate::checker::{self, Checker};
use crate::cluster::faults::{Course, QUEUE, perform, victim};
use crate::cluster::history::{self, Seconds, now};
use crate::cluster::measures::{Measures, measure};
use crate::cluster::options::Options;
use crate::cluster::scenario::Scenario;
use crate::cluster::scenario::limit::HELD;
use crate::cluster::stack::{Stack, folder};
use crate::error::Error;
use crate::report;
use crate::verb::name_of;

/// The broker itself waits up to 180 s before it moves an expired message again whose target was away.
const INJECTIONS: Injections =
    Injections { poison_share: 0.002, duplicate_share: 0.02, quiet_within: Duration::from_secs(240) };

/// Runs all chosen scenarios; whether all went well.
pub async fn run(options: Options) -> Result<bool, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::file("SIGTERM"))?;
    tokio::select! {
        outcome = run_all(&options) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Error::new("cluster", "stopped before the end")),
        _ = terminate.recv() => Err(Error::new("cluster", "stopped before the end")),
    }
}

async fn run_all(options: &Options) -> Result<bool, Error> {
    println!("cluster: {}", options.image());
    let chosen = if options.scenario.is_empty() { Scenario::value_variants() } else { &options.scenario };
    let mut outcomes = Vec::new();
    for scenario in chosen {
        outcomes.push(run_one(*scenario, options).await?);
    }
    Ok(report::table("cluster", &outcomes, "cargo xtask cluster --scenario <NAME>"))
}

async fn run_one(scenario: Scenario, options: &Options) -> Result<report::Outcome, Error> {
    let mut told = report::Scenario::begin(name_of(scenario));
    let folder = folder(options, &name_of(scenario))?;
    let stack = Stack::set_up(options, &folder).await?;
    stack.describe(options).await?;
    let victim = victim(scenario, &stack.broker).await?.clone();
    if scenario == Scenario::RollingRestart {
        told.note("connections are spread over all nodes");
    } else {
        let role = if scenario == Scenario::MinorityCutOff { "a follower" } else { "the leader" };
        told.note(format!("{} is {role} of `{QUEUE}`; all connections are on it", victim.host));
        stack.gather_on(&victim).await?;
    }
    let over = scenario.lasts();
    let workload =
        Workload { jobs: options.rate * over.as_secs(), over, seed: options.seed, injections: INJECTIONS };
    let checking = checker::Options::new(stack.endpoints.clone(), workload, folder.clone());
    let mut checker = Checker::start(checking).await?;
    let course = perform(scenario, &victim, &stack.broker).await;
    let ended = now();
    stack.broker.keep_logs(&folder).await?;
    let course = course?;
    let verdict = checker.verdict().await?;
    println!("{verdict}");
    measured(&course, ended, &stack, &folder, &mut told).await?;
    told.require(verdict.holds, || format!("the promise was broken: {}", verdict.broken()));
    for (unit, status) in stack.units.ended().await {
        let tail = unit.program.lock().await.log_tail();
        told.violation(format!("{} ended ({status}): {tail}", unit.name));
    }
    Ok(told.end(checker.counts().to_string()))
}

/// Tells what each event did, and which outages took too long.
async fn measured(
    course: &Course,
    ended: Seconds,
    stack: &Stack,
    folder: &Path,
    told: &mut report::Scenario,
) -> Result<(), Error> {
    let posts = history::posts(folder)?;
    let handled = history::handled(&stack.database.pool).await?;
    history::keep(&posts, &handled, folder)?;
    // Where nothing was sent any more, nothing can be said of the service.
    let last_sent = posts.iter().map(|post| post.sent).fold(0.0, Seconds::max);
    let ends = course.0.iter().skip(1).map(|event| event.at).chain([ended.min(last_sent)]);
    for (event, end) in course.0.iter().zip(ends) {
        let measures = measure(event.at, end, &posts, &handled);
        let after = format!("after `{}`", event.what);
        told.note(format!("{after} ({:.0} s): {}", end - event.at, in_words(&measures)));
        let checks = [
            ("no service", measures.outage(), event.limit),
            ("an order held", measures.longest_wait, Some(HELD)),
        ];
        for (what, took, limit) in checks {
            let limit = limit.map_or(Seconds::INFINITY, |limit| limit.as_secs_f64());
            told.require(took <= limit, || {
                format!("{after}: {what} for {took:.1} s, the limit is {limit} s")
            });
        }
    }
    Ok(())
}

fn in_words(measures: &Measures) -> String {
    let seconds = |time: Option<Seconds>| time.map_or("never".to_owned(), |time| format!("{time:.1} s"));
    format!(
        "first order confirmed after {}, first handled after {}; longest without a confirm {:.1} s, without work {:.1} \
         s; longest wait of a confirmed order {:.1} s; orders confirmed {}, not sent {}, unknown {}",
        seconds(measures.first_confirmed),
        seconds(measures.first_handled),
        measures.longest_unconfirmed,
        measures.longest_unhandled,
        measures.longest_wait,
        measures.confirmed,
        measures.refused,
        measures.unknown,
    )
}
