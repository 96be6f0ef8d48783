//! Messages that kill whatever reads them, among many others, with as much delivered ahead as in production: they are given
//! up, each with its reason, and nothing else is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use millrace_contracts::{UserId, orders};
use millrace_protocol::Contract;
use uuid::Uuid;

use crate::crash_points::cases::Target;
use crate::crash_points::judge;
use crate::crash_points::load::{self, CLIENT, Handler, Load, Message};
use crate::crash_points::program::{Armed, Programs};
use crate::crash_points::stack::Stack;
use crate::crash_points::tally::Tally;
use crate::crash_points::worker::{ended, environment};

/// As `--only` calls it.
pub const NAME: &str = "orders/poison";
const MESSAGES: usize = 800;
/// Alone, side by side, and in different deliveries.
const POISON: [usize; 5] = [3, 100, 101, 102, 700];
const WORKERS: usize = 2;
/// As the workers' own defaults.
const PREFETCH: u64 = 512;
const BATCH: usize = 256;
/// One before it came back, two in company, three alone.
const DEATHS_EACH: usize = 6;
/// What is ordered in a deadly order.
const DEADLY: &str = "DEADLY";
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Runs it; the errors are everything that is not as it should be.
pub async fn run(stack: &Stack, programs: &Programs) -> Result<Tally, Vec<String>> {
    let customer = UserId(Uuid::now_v7());
    stack.know_customer(customer, "active").await;
    let messages = (0..MESSAGES)
        .map(|number| {
            let order = Uuid::now_v7();
            let mut body = load::order_of(customer, order);
            if POISON.contains(&number) {
                body["lines"][0]["sku"] = DEADLY.into();
            }
            load::message(orders::Place::TYPE, body, order, Some(orders::Placed::TYPE))
        })
        .collect();
    let load = Load {
        handler: Handler::of(Target::Orders),
        openers: Vec::new(),
        messages,
        status: "succeeded",
        attempts: 1,
        versions: &[1],
        news: None,
    };
    stack.note_prepared().await;
    stack.publish(load.messages.iter().map(Message::outgoing).collect()).await;
    let deaths = work_off(stack, programs, &load.messages).await.map_err(|finding| vec![finding])?;
    let Handler { domain, subscriber, .. } = load.handler;
    let mut evidence = judge::collect(stack, domain, subscriber.as_str(), CLIENT).await;
    let deadly: BTreeSet<Uuid> = POISON.iter().map(|number| load.messages[*number].id.0).collect();
    evidence.history = load.history(&deadly);
    let mut findings = load.findings(&deadly, &evidence);
    if deaths > DEATHS_EACH * POISON.len() {
        findings
            .push(format!("{deaths} processes died of {} messages, {DEATHS_EACH} may of each", POISON.len()));
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let copies = judge::copies(evidence.waiting.iter().chain(&evidence.letters));
    Ok(Tally { deaths, copies, ..Tally::default() })
}

/// Workers that are started again whenever they die, until every message has come to an end.
async fn work_off(stack: &Stack, programs: &Programs, messages: &[Message]) -> Result<usize, String> {
    let ids: Vec<Uuid> = messages.iter().map(|message| message.id.0).collect();
    let handler = orders::DOMAIN.as_str();
    let mut workers =
        (0..WORKERS).map(|number| start(stack, programs, number)).collect::<Result<Vec<_>, _>>()?;
    let (until, mut deaths) = (Instant::now() + PATIENCE, 0);
    while ended(&stack.world, handler, &ids).await < ids.len() || stack.queue(handler).await.0 > 0 {
        for (number, worker) in workers.iter_mut().enumerate() {
            if worker.has_died()? {
                deaths += 1;
                *worker = start(stack, programs, number)?;
            }
        }
        if Instant::now() > until {
            return Err(format!(
                "after {} s and {deaths} deaths not all has come to an end",
                PATIENCE.as_secs()
            ));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    for mut worker in workers {
        // It may have died of a message that another worker has given up since it was last looked at.
        if worker.has_died()? {
            deaths += 1;
        } else {
            worker.stop().await?;
        }
    }
    match stack.left_behind(handler).await? {
        0 => Ok(deaths),
        left => Err(format!("{left} messages came back though all had come to an end")),
    }
}

fn start(stack: &Stack, programs: &Programs, number: usize) -> Result<Armed, String> {
    let mut environment = environment(stack, BATCH, PREFETCH);
    environment.push(("MILLRACE_CRASH_ON", DEADLY.to_owned()));
    programs.start("orders-worker", &format!("{NAME}-{number}"), &environment, None)
}
