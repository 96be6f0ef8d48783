//! The track on which servers are killed, stopped, frozen and starved, and the ways to them spoilt.

use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::services::Server;
use millrace_testkit::stack::StackError;
use millrace_testkit::stack::proxy::{Directions, Proxy, Rule};
use millrace_testkit::stack::servers::{Alarm, Ending, Servers};
use time::OffsetDateTime;
use tokio::time::sleep;

use crate::chaos::fault::{Kind, Step, Target, Way};
use crate::chaos::shared::{Shared, Times};
use crate::error::Error;

const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 20;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(500);
/// Slow, and not so slow that anybody gives up.
pub const DELAY: Rule = Rule::Delay { by: Duration::from_millis(150), jitter: Duration::from_millis(250) };
const TRICKLE: Rule = Rule::Trickle { bytes_per_second: 1000 };

/// Performs the steps one after the other.
pub async fn run(shared: Arc<Shared>, servers: &mut Servers, steps: Vec<Step>) {
    let count = steps.len();
    for (index, step) in steps.into_iter().enumerate() {
        sleep(step.after).await;
        let Step { kind, target, .. } = &step;
        shared.at("infrastructure", format!("step {} of {count}: {kind} of {target}", index + 1));
        perform(&shared, servers, &step).await;
    }
    shared.at("infrastructure", "done".to_owned());
}

/// One fault, from its beginning to its end.
pub async fn perform(shared: &Shared, servers: &mut Servers, step: &Step) {
    let Step { kind, target, .. } = step;
    match inject(shared, servers, step).await {
        Ok(times) => shared.record(*kind, target, times),
        Err(error) => {
            shared.surprise(format!("{kind} of {target} could not be done: {error}"));
            if let Err(error) = heal(shared, servers).await {
                shared.surprise(format!("after that, not all could be healed: {error}"));
            }
        }
    }
}

/// Everything runs, answers and lets through.
pub async fn heal(shared: &Shared, servers: &mut Servers) -> Result<(), Error> {
    for way in Way::ALL {
        set(shared, way, Rule::Pass);
    }
    for server in [Server::Broker, Server::Database] {
        servers.thaw(server)?;
        if !servers.runs(server)? {
            servers.start_again(server).await?;
        }
        servers.until_answers(server, ANSWER_DEADLINE).await?;
    }
    Ok(servers.lift_all().await?)
}

async fn inject(shared: &Shared, servers: &mut Servers, step: &Step) -> Result<Times, Error> {
    let started = OffsetDateTime::now_utc();
    let over = |back| Ok(Times { started, healed: OffsetDateTime::now_utc(), back });
    let hold = step.hold;
    match (step.kind, &step.target) {
        (Kind::BrokerKilled, _) => restart(servers, Server::Broker, Ending::Kill, started, hold).await,
        (Kind::BrokerRestarted, _) => restart(servers, Server::Broker, Ending::Stop, started, hold).await,
        (Kind::DatabaseKilled, _) => restart(servers, Server::Database, Ending::Kill, started, hold).await,
        (Kind::DatabaseRestarted, _) => restart(servers, Server::Database, Ending::Stop, started, hold).await,
        (Kind::BrokerFrozen, _) => freeze(servers, Server::Broker, started, hold).await,
        (Kind::DatabaseFrozen, _) => freeze(servers, Server::Database, started, hold).await,
        (Kind::MemoryAlarm, _) => alarm(servers, Alarm::Memory, started, hold).await,
        (Kind::DiskAlarm, _) => alarm(servers, Alarm::Disk, started, hold).await,
        (Kind::QueueFull, Target::Domain(domain)) => {
            let usual = patiently(async || servers.fill(domain).await).await?;
            sleep(hold).await;
            patiently(async || servers.put_policy(&usual).await).await?;
            over(None)
        }
        (Kind::QueueDown, Target::Domain(domain)) => {
            servers.stop_queue(domain).await?;
            sleep(hold).await;
            servers.start_queue(domain).await?;
            over(None)
        }
        (Kind::BindingGone, Target::Event(domain, event)) => {
            let usual = patiently(async || servers.unbind(domain.as_str(), event).await).await?;
            sleep(hold).await;
            patiently(async || servers.bind(&usual).await).await?;
            over(None)
        }
        (Kind::SessionsCut, Target::Sessions(count)) => {
            servers.terminate_sessions(*count).await?;
            over(None)
        }
        (Kind::SessionsExhausted, _) => {
            servers.exhaust_sessions(hold).await?;
            over(Some(OffsetDateTime::now_utc()))
        }
        (Kind::TableLocked, Target::Table(table)) => {
            servers.lock_table(table, "ACCESS EXCLUSIVE", hold).await?;
            over(None)
        }
        (Kind::TableReadOnly, Target::Table(table)) => {
            servers.lock_table(table, "SHARE", hold).await?;
            over(None)
        }
        (Kind::TableHidden, Target::Table(table)) => {
            servers.hide_table(table, hold).await?;
            over(None)
        }
        (kind, Target::Way(way)) => {
            let Some(rule) = rule_of(kind) else { return Err(no_such(step)) };
            set(shared, *way, rule);
            sleep(hold).await;
            set(shared, *way, Rule::Pass);
            over(None)
        }
        _ => Err(no_such(step)),
    }
}

fn no_such(step: &Step) -> Error {
    Error::new(step.kind.name(), format!("cannot be done to {}", step.target))
}

async fn restart(
    servers: &mut Servers,
    server: Server,
    ending: Ending,
    started: OffsetDateTime,
    hold: Duration,
) -> Result<Times, Error> {
    servers.end(server, ending).await?;
    sleep(hold).await;
    let healed = OffsetDateTime::now_utc();
    servers.start_again(server).await?;
    Ok(Times { started, healed, back: Some(OffsetDateTime::now_utc()) })
}

async fn freeze(
    servers: &mut Servers,
    server: Server,
    started: OffsetDateTime,
    hold: Duration,
) -> Result<Times, Error> {
    servers.freeze(server)?;
    sleep(hold).await;
    servers.thaw(server)?;
    let healed = OffsetDateTime::now_utc();
    servers.until_answers(server, ANSWER_DEADLINE).await?;
    Ok(Times { started, healed, back: Some(OffsetDateTime::now_utc()) })
}

async fn alarm(
    servers: &mut Servers,
    alarm: Alarm,
    started: OffsetDateTime,
    hold: Duration,
) -> Result<Times, Error> {
    servers.raise(alarm).await?;
    sleep(hold).await;
    servers.lift(alarm).await?;
    Ok(Times { started, healed: OffsetDateTime::now_utc(), back: None })
}

/// The management API comes up later than the broker itself, so it is asked more than once.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, StackError>) -> Result<T, StackError> {
    let mut attempt = 1;
    loop {
        match ask().await {
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
        sleep(ATTEMPT_PAUSE).await;
    }
}

fn rule_of(kind: Kind) -> Option<Rule> {
    Some(match kind {
        Kind::Reset => Rule::Reset,
        Kind::HoleToServer => Rule::BlackHole(Directions::ToServer),
        Kind::HoleToClient => Rule::BlackHole(Directions::ToClient),
        Kind::HoleBoth => Rule::BlackHole(Directions::Both),
        Kind::Delay => DELAY,
        Kind::Trickle => TRICKLE,
        Kind::FrameCut => Rule::CutFrame,
        Kind::CommitCut => Rule::CutCommit,
        _ => return None,
    })
}

/// The proxies that a way leads through.
pub fn proxies(shared: &Shared, way: Way) -> Vec<&Proxy> {
    let reach = &shared.reach;
    match way {
        Way::ApiBroker => vec![&reach.api_broker],
        Way::WorkerBroker => vec![&reach.worker_broker],
        Way::Database => vec![&reach.api_database, &reach.worker_database],
    }
}

/// What happens on a way from now on.
pub fn set(shared: &Shared, way: Way, rule: Rule) {
    for proxy in proxies(shared, way) {
        proxy.set(rule);
    }
}
