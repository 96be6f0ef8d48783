//! Messages that kill whatever reads them, among many others, with as much delivered ahead as in production: they are given
//! up, each with its reason, and nothing else is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use millrace_contracts::{Contract, UserId, orders};
use uuid::Uuid;

use crate::crash_points::arena::Arena;
use crate::crash_points::cases::Mortal;
use crate::crash_points::load::{self, Load, Message, Stage};
use crate::crash_points::post_mortem::{Evidence, Letter};
use crate::crash_points::program::{Armed, Yard};
use crate::crash_points::tally::Tally;
use crate::crash_points::worker::{ended, environment};

/// As `--only` calls it.
pub const NAME: &str = "orders/killers";
const MESSAGES: usize = 800;
/// Alone, side by side, and in different deliveries.
const KILLERS: [usize; 5] = [3, 100, 101, 102, 700];
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

/// Plays it; the errors are everything that is not as it should be.
pub async fn play(arena: &Arena, yard: &Yard) -> Result<Tally, Vec<String>> {
    let customer = UserId(Uuid::now_v7());
    arena.know_customer(customer, "active").await;
    let messages = (0..MESSAGES)
        .map(|number| {
            let order = Uuid::now_v7();
            let mut body = load::order_of(customer, order);
            if KILLERS.contains(&number) {
                body["lines"][0]["sku"] = DEADLY.into();
            }
            load::message(orders::Place::TYPE, body, order, Some(orders::Placed::TYPE))
        })
        .collect();
    let load = Load {
        stage: Stage::of(Mortal::Orders),
        openers: Vec::new(),
        messages,
        status: "succeeded",
        attempts: 1,
        versions: &[1],
        awaited: None,
    };
    arena.publish(load.messages.iter().map(Message::outgoing).collect()).await;
    let deaths = work_off(arena, yard, &load.messages).await.map_err(|finding| vec![finding])?;
    let evidence = Evidence::collect(arena, &load).await;
    let findings = examine(&load, &evidence, deaths);
    let copies = evidence.copies();
    if findings.is_empty() { Ok(Tally { deaths, copies, ..Tally::default() }) } else { Err(findings) }
}

/// Workers that are started again whenever they die, until every message has come to an end.
async fn work_off(arena: &Arena, yard: &Yard, messages: &[Message]) -> Result<usize, String> {
    let ids: Vec<Uuid> = messages.iter().map(|message| message.id.0).collect();
    let handler = millrace_contracts::orders::DOMAIN.as_str();
    let mut workers = (0..WORKERS).map(|number| start(arena, yard, number)).collect::<Result<Vec<_>, _>>()?;
    let (until, mut deaths) = (Instant::now() + PATIENCE, 0);
    while ended(&arena.world, handler, &ids).await < ids.len() || arena.queue(handler).await.0 > 0 {
        for (number, worker) in workers.iter_mut().enumerate() {
            if worker.has_died()? {
                deaths += 1;
                *worker = start(arena, yard, number)?;
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
    for worker in workers {
        worker.stop().await?;
    }
    match arena.left_behind(handler).await? {
        0 => Ok(deaths),
        left => Err(format!("{left} messages came back though all had come to an end")),
    }
}

fn start(arena: &Arena, yard: &Yard, number: usize) -> Result<Armed, String> {
    let mut environment = environment(arena, BATCH, PREFETCH);
    environment.push(("MILLRACE_CRASH_ON", DEADLY.to_owned()));
    yard.start("orders-worker", &format!("{NAME}-{number}"), &environment, None)
}

fn examine(load: &Load, evidence: &Evidence, deaths: usize) -> Vec<String> {
    let (killers, others): (Vec<_>, Vec<_>) =
        load.messages.iter().enumerate().partition(|(number, _)| KILLERS.contains(number));
    let ids = |of: &[(usize, &Message)]| of.iter().map(|(_, message)| message.id.0).collect::<BTreeSet<_>>();
    let (killers, others) = (ids(&killers), ids(&others));
    let with = |status: &str| {
        let rows = evidence.rows.iter().filter(|row| row.status == status);
        rows.map(|row| row.message_id).collect::<BTreeSet<_>>()
    };
    let dead: BTreeSet<_> = evidence.dead.iter().filter_map(|letter| letter.id).collect();
    let crashed = |letter: &Letter| letter.failure_class.as_deref() == Some("crash");
    let heard: BTreeSet<_> = evidence.follow_ups.iter().filter_map(|letter| letter.id).collect();
    let placed: Vec<_> = evidence
        .effects
        .iter()
        .filter(|effect| effect.place == load.stage.place)
        .map(|effect| &effect.key)
        .collect();
    let orders: BTreeSet<_> = placed.iter().collect();
    let claims = [
        (with("succeeded") == others, "all others succeeded, and they alone".to_owned()),
        (with("dead") == killers, "the killers are dead in the ledger, and they alone".to_owned()),
        (dead == killers, format!("the killers are dead letters, and they alone: {} are", dead.len())),
        (evidence.dead.iter().all(crashed), "every dead letter says `crash`".to_owned()),
        (heard.len() == others.len(), format!("each order was told of: {} were", heard.len())),
        (
            placed.len() == others.len() && orders.len() == others.len(),
            format!("each order was placed once: {} times {} orders were", placed.len(), orders.len()),
        ),
        (
            evidence.suspects.iter().all(|suspect| killers.contains(suspect)),
            "nobody but the killers is under suspicion".to_owned(),
        ),
        (evidence.left.is_empty(), format!("no other queue holds anything: {:?}", evidence.left)),
        (
            deaths <= DEATHS_EACH * KILLERS.len(),
            format!("{} killers cost no more than {DEATHS_EACH} processes each: {deaths}", KILLERS.len()),
        ),
    ];
    claims.into_iter().filter(|(holds, _)| !holds).map(|(_, claim)| format!("not so: {claim}")).collect()
}
