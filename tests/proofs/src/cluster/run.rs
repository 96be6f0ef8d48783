//! A run: every scenario on a cluster of its own, from the first container to the verdict.

use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};

use crate::cluster::checker::{Checker, Load};
use crate::cluster::faults::{Course, QUEUE, play, victim};
use crate::cluster::history::{self, Seconds, now};
use crate::cluster::measures::{Measures, measure};
use crate::cluster::scenario::Scenario;
use crate::cluster::scenario::limit::HELD;
use crate::cluster::settings::Settings;
use crate::cluster::stage::{Stage, folder};
use crate::cluster::trouble::Trouble;

/// Plays all chosen scenarios; whether all went well.
pub async fn run(settings: Settings) -> Result<bool, Trouble> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Trouble::file("SIGTERM"))?;
    tokio::select! {
        outcome = play_all(&settings) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Trouble::Other("stopped before the end".to_owned())),
        _ = terminate.recv() => Err(Trouble::Other("stopped before the end".to_owned())),
    }
}

async fn play_all(settings: &Settings) -> Result<bool, Trouble> {
    let chosen = if settings.scenario.is_empty() { Scenario::value_variants() } else { &settings.scenario };
    let mut report = Vec::new();
    for scenario in chosen {
        println!("\n=== {}", scenario.name());
        let violations = play_one(*scenario, settings).await?;
        for violation in &violations {
            println!("  VIOLATED: {violation}");
        }
        report.push((scenario.name(), violations));
    }
    println!("\ncluster, {}:", settings.image());
    for (name, violations) in &report {
        let outcome = if violations.is_empty() { "holds".to_owned() } else { violations.join("; ") };
        println!("  {name:<20} {outcome}");
    }
    Ok(report.iter().all(|(_, violations)| violations.is_empty()))
}

/// What did not go as it must.
async fn play_one(scenario: Scenario, settings: &Settings) -> Result<Vec<String>, Trouble> {
    let folder = folder(settings, &scenario.name())?;
    let mut stage = Stage::set_up(settings, &folder).await?;
    stage.describe(settings).await?;
    let victim = victim(scenario, &stage.broker).await?.clone();
    if scenario == Scenario::RollingRestart {
        println!("  connections are spread over all nodes");
    } else {
        let role = if scenario == Scenario::MinorityCutOff { "a follower" } else { "the leader" };
        println!("  {} is {role} of `{QUEUE}`; all connections are on it", victim.host);
        stage.gather_on(&victim).await?;
    }
    let over = scenario.lasts();
    let load = Load { jobs: settings.rate * over.as_secs(), over, seed: settings.seed };
    let checker = Checker::start(&load, &stage.programs.door, &stage.addresses, &folder, &stage.watchdog)?;
    let course = play(scenario, &victim, &stage.broker).await;
    let ended = now();
    stage.broker.keep_logs(&folder).await?;
    let course = course?;
    let holds = checker.verdict().await?;
    let mut violations = report(&course, ended, &stage, &folder).await?;
    if !holds {
        violations.push("the promise (see the checker's verdict)".to_owned());
    }
    violations.extend(stage.programs.ended());
    Ok(violations)
}

/// Prints what each event did, and returns the outages that took too long.
async fn report(
    course: &Course,
    ended: Seconds,
    stage: &Stage,
    folder: &std::path::Path,
) -> Result<Vec<String>, Trouble> {
    let posts = history::posts(folder)?;
    let handled = history::handled(&stage.database.pool).await?;
    history::keep(&posts, &handled, folder)?;
    // Where nothing was sent any more, nothing can be said of the service.
    let last_sent = posts.iter().map(|post| post.sent).fold(0.0, Seconds::max);
    let ends = course.0.iter().skip(1).map(|event| event.at).chain([ended.min(last_sent)]);
    let mut late = Vec::new();
    for (event, end) in course.0.iter().zip(ends) {
        let measures = measure(event.at, end, &posts, &handled);
        println!("  after `{}` ({:.0} s): {}", event.what, end - event.at, told(&measures));
        let checks = [
            ("no service", measures.outage(), event.limit),
            ("an order held", measures.longest_wait, Some(HELD)),
        ];
        for (what, took, limit) in checks {
            if let Some(limit) = limit.map(|limit| limit.as_secs_f64()).filter(|limit| took > *limit) {
                late.push(format!("after `{}`: {what} for {took:.1} s, the limit is {limit} s", event.what));
            }
        }
    }
    Ok(late)
}

fn told(measures: &Measures) -> String {
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
