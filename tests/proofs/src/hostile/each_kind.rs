//! Every kind of poison, one after the other, each between valid orders.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::error::Error;
use crate::hostile::amqp::{Client, Refusal};
use crate::hostile::kinds::{self, Ending, Kind};
use crate::hostile::target::{DeadLetter, PAUSE, Target};
use crate::hostile::valid;
use crate::report::{Outcome, Scenario};

/// The broker gives a message up after 20 lost connections, between which the worker waits ever longer.
const PATIENCE: Duration = Duration::from_secs(300);
/// Valid orders before a message, and as many behind it.
const NEIGHBOURS: usize = 5;
const REASON_SHOWN_CHARS: usize = 110;

/// What became of one message.
struct Seen {
    ending: Option<Ending>,
    text: String,
    /// Whether all valid orders around it succeeded.
    neighbours_unharmed: bool,
    /// How the worker ended, each time it did.
    exits: Vec<String>,
}

pub async fn run(target: &mut Target, only: Option<&str>) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin("kinds");
    let kinds = kinds::all(target.client().await?.header_max());
    let mut count = 0;
    for kind in kinds.iter().filter(|kind| only.is_none_or(|only| kind.name.contains(only))) {
        let started = Instant::now();
        let seen = one(target, kind).await?;
        count += 1;
        println!("  {:<58} {:>6.2} s  {}", kind.name, started.elapsed().as_secs_f64(), seen.text);
        let name = &kind.name;
        scenario.require(seen.ending == Some(kind.ending), || {
            format!("{name}: must end as {:?}: {}", kind.ending, seen.text)
        });
        scenario.require(seen.neighbours_unharmed, || format!("{name}: neighbours were harmed"));
        for exit in &seen.exits {
            scenario.violation(format!("{name}: the worker ended: {exit}"));
        }
    }
    Ok(scenario.end(format!("{count} kinds of poison, the worker ended {} times", target.restarts)))
}

async fn one(target: &mut Target, kind: &Kind) -> Result<Seen, Error> {
    let started = Instant::now();
    let mut client = target.client().await?;
    let mut neighbours = send_neighbours(&mut client).await?;
    let published = client.publish(valid::QUEUE, &kind.message).await;
    // The broker may have closed the connection.
    let mut client = target.client().await?;
    neighbours.extend(send_neighbours(&mut client).await?);
    let mut own = published.err().map(|refusal| (Ending::Rejected, format!("not accepted: {refusal}")));
    let (mut dead, mut exits) = (Vec::<DeadLetter>::new(), Vec::new());
    loop {
        dead.extend(target.dead_letters(&mut client).await?);
        let (harmed, others): (Vec<_>, Vec<_>) =
            dead.iter().partition(|letter| letter.is_one_of(&neighbours));
        if own.is_none() {
            own = match others.first() {
                Some(letter) => Some(of_letter(letter)),
                None => target.status(kind.id).await?.and_then(of_row),
            };
        }
        let all_ended = target.succeeded(&neighbours).await? + harmed.len() == neighbours.len();
        if (own.is_some() && all_ended) || started.elapsed() > PATIENCE {
            let neighbours_unharmed = harmed.is_empty() && all_ended;
            let (ending, text) =
                own.map_or((None, "NO END".to_owned()), |(ending, text)| (Some(ending), text));
            return Ok(Seen { ending, text, neighbours_unharmed, exits });
        }
        exits.extend(target.revive().await?);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn send_neighbours(client: &mut Client) -> Result<Vec<Uuid>, Refusal> {
    let ids: Vec<Uuid> = (0..NEIGHBOURS).map(|_| Uuid::now_v7()).collect();
    for id in &ids {
        client.send(valid::QUEUE, &valid::order(*id)).await?;
    }
    client.confirmed_all().await?;
    Ok(ids)
}

fn of_letter(letter: &DeadLetter) -> (Ending, String) {
    match &letter.reason {
        Some(reason) if letter.by_broker => {
            (Ending::GivenUpByBroker, format!("dead, by the broker: {reason}"))
        }
        Some(reason) => {
            (Ending::Dead, format!("dead: {}", reason.chars().take(REASON_SHOWN_CHARS).collect::<String>()))
        }
        None => (Ending::Reasonless, "dead WITHOUT A REASON".to_owned()),
    }
}

/// The ending that a ledger row shows, once the message has one there.
fn of_row((status, attempts): (String, i32)) -> Option<(Ending, String)> {
    let ended = ["succeeded", "refused"].contains(&status.as_str());
    ended.then(|| (Ending::Processed, format!("{status}, attempt {attempts}")))
}
