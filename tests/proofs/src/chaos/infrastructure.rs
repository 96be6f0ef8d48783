//! The track on which servers are killed, stopped, frozen and starved, and the ways to them spoilt.

use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::services::Server;
use millrace_testkit::stack::StackError;
use millrace_testkit::stack::proxy::{Directions, Proxy, Rule};
use millrace_testkit::stack::servers::{Alarm, Ending, Servers};
use millrace_testkit::wait::answer;
use tokio::time::sleep;

use crate::chaos::fault::{Kind, Step, Target, Way};
use crate::chaos::shared::Shared;
use crate::error::Error;
use crate::history::Fault;

const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
const CONSOLE_DEADLINE: Duration = Duration::from_secs(10);
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
    let mut fault = Fault::begins(kind, target);
    match inject(shared, servers, step, &mut fault).await {
        Ok(()) => shared.record(*kind, fault),
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

async fn inject(shared: &Shared, servers: &mut Servers, step: &Step, fault: &mut Fault) -> Result<(), Error> {
    let hold = step.hold;
    match (step.kind, &step.target) {
        (Kind::BrokerKilled, _) => restart(servers, Server::Broker, Ending::Kill, hold, fault).await?,
        (Kind::BrokerRestarted, _) => restart(servers, Server::Broker, Ending::Stop, hold, fault).await?,
        (Kind::DatabaseKilled, _) => restart(servers, Server::Database, Ending::Kill, hold, fault).await?,
        (Kind::DatabaseRestarted, _) => restart(servers, Server::Database, Ending::Stop, hold, fault).await?,
        (Kind::BrokerFrozen, _) => freeze(servers, Server::Broker, hold, fault).await?,
        (Kind::DatabaseFrozen, _) => freeze(servers, Server::Database, hold, fault).await?,
        (Kind::MemoryAlarm, _) => alarm(servers, Alarm::Memory, hold).await?,
        (Kind::DiskAlarm, _) => alarm(servers, Alarm::Disk, hold).await?,
        (Kind::QueueFull, Target::Domain(domain)) => {
            let usual = patiently(async || servers.fill(domain).await).await?;
            sleep(hold).await;
            patiently(async || servers.put_policy(&usual).await).await?;
        }
        (Kind::QueueDown, Target::Domain(domain)) => {
            servers.stop_queue(domain).await?;
            sleep(hold).await;
            servers.start_queue(domain).await?;
        }
        (Kind::BindingGone, Target::Event(domain, event)) => {
            let usual = patiently(async || servers.unbind(domain.as_str(), event).await).await?;
            sleep(hold).await;
            patiently(async || servers.bind(&usual).await).await?;
        }
        (Kind::SessionsCut, Target::Sessions(count)) => servers.terminate_sessions(*count).await?,
        (Kind::SessionsExhausted, _) => {
            servers.exhaust_sessions(hold).await?;
            fault.is_back();
        }
        (Kind::TableLocked, Target::Table(table)) => {
            servers.lock_table(table, "ACCESS EXCLUSIVE", hold).await?;
        }
        (Kind::TableReadOnly, Target::Table(table)) => servers.lock_table(table, "SHARE", hold).await?,
        (Kind::TableHidden, Target::Table(table)) => servers.hide_table(table, hold).await?,
        (kind, Target::Way(way)) => {
            let Some(rule) = rule_of(kind) else { return Err(no_such(step)) };
            set(shared, *way, rule);
            sleep(hold).await;
            set(shared, *way, Rule::Pass);
        }
        _ => return Err(no_such(step)),
    }
    Ok(())
}

fn no_such(step: &Step) -> Error {
    Error::new(step.kind.name(), format!("cannot be done to {}", step.target))
}

async fn restart(
    servers: &mut Servers,
    server: Server,
    ending: Ending,
    hold: Duration,
    fault: &mut Fault,
) -> Result<(), Error> {
    servers.end(server, ending).await?;
    sleep(hold).await;
    fault.heals();
    servers.start_again(server).await?;
    fault.is_back();
    Ok(())
}

async fn freeze(
    servers: &mut Servers,
    server: Server,
    hold: Duration,
    fault: &mut Fault,
) -> Result<(), Error> {
    servers.freeze(server)?;
    sleep(hold).await;
    servers.thaw(server)?;
    fault.heals();
    servers.until_answers(server, ANSWER_DEADLINE).await?;
    fault.is_back();
    Ok(())
}

async fn alarm(servers: &mut Servers, alarm: Alarm, hold: Duration) -> Result<(), Error> {
    servers.raise(alarm).await?;
    sleep(hold).await;
    Ok(servers.lift(alarm).await?)
}

/// The management API comes up later than the broker itself, so it is asked more than once.
async fn patiently<T>(ask: impl AsyncFnMut() -> Result<T, StackError>) -> Result<T, StackError> {
    answer("the management API", CONSOLE_DEADLINE, ask).await
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
