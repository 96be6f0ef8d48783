//! Every kind of poison, one after the other, with healthy orders before and behind it.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::hostile::good;
use crate::hostile::kinds::{self, Ends, Kind};
use crate::hostile::raw::{Client, Refusal};
use crate::hostile::stage::{Broken, Dead, PAUSE, Stage};

/// The broker gives a message up after 20 lost connections, between which the worker waits ever longer.
const PATIENCE: Duration = Duration::from_secs(300);
const NEIGHBOURS: usize = 5;

/// What became of one.
struct Told {
    ends: Option<Ends>,
    text: String,
    healthy: bool,
    took: Duration,
    exits: Vec<String>,
}

/// Whether all ended as they must.
pub async fn run(stage: &mut Stage, only: Option<&str>) -> Result<bool, Broken> {
    let header_max = stage.client().await?.header_max();
    let kinds = kinds::all(header_max);
    let kinds = kinds.iter().filter(|kind| only.is_none_or(|only| kind.name.contains(only)));
    let (mut count, mut wrong, mut exits) = (0, Vec::new(), Vec::new());
    for kind in kinds {
        let told = one(stage, kind).await?;
        count += 1;
        let mut marks = String::new();
        if !kind.ends.allows(told.ends, told.exits.len()) {
            marks.push_str(" WRONG END");
        }
        if !told.healthy {
            marks.push_str(" NEIGHBOURS HURT");
        }
        let mut text = told.text;
        if !told.exits.is_empty() {
            text.push_str(&format!("; the worker ended {} times", told.exits.len()));
            exits.extend(told.exits.first().map(|exit| format!("{}: {exit}", kind.name)));
        }
        println!("  {:<58} {:>6.2} s  {}{marks}", kind.name, told.took.as_secs_f64(), text);
        if !marks.is_empty() {
            wrong.push(format!("{}:{marks}", kind.name));
        }
    }
    println!(
        "hostile: {count} kinds of poison, {} not as they must, the worker ended {} times",
        wrong.len(),
        stage.restarts
    );
    wrong.iter().chain(&exits).for_each(|line| println!("  {line}"));
    Ok(wrong.is_empty())
}

async fn one(stage: &mut Stage, kind: &Kind) -> Result<Told, Broken> {
    let started = Instant::now();
    let mut client = stage.client().await?;
    let mut healthy = neighbours(&mut client).await?;
    let published = client.publish(good::QUEUE, &kind.message).await;
    // The broker may have closed the connection.
    let mut client = stage.client().await?;
    healthy.extend(neighbours(&mut client).await?);
    let not_taken = match published {
        Ok(()) => None,
        Err(Refusal::Io(error)) => Some(format!("not taken: {error}")),
        Err(refusal) => Some(format!("not taken: {refusal}")),
    };
    let (mut own, mut dead) = (not_taken.map(|text| (Ends::NotTaken, text)), Vec::<Dead>::new());
    let (healthy, mut exits) = (healthy.as_slice(), Vec::new());
    loop {
        dead.extend(stage.dead_letters(&mut client).await?);
        let hurt = dead.iter().filter(|dead| is_one_of(dead, healthy)).count();
        if own.is_none() {
            own = match dead.iter().find(|dead| !is_one_of(dead, healthy)) {
                Some(letter) => Some(of_letter(letter)),
                None => stage.status(kind.id).await?.filter(ended).map(of_row),
            };
        }
        let healthy_ended = stage.succeeded(healthy).await? + hurt == healthy.len();
        let late = started.elapsed() > PATIENCE;
        if (own.is_some() && healthy_ended) || late {
            let (ends, text) = own.map_or((None, "NO END".to_owned()), |(ends, text)| (Some(ends), text));
            let text = if hurt > 0 { format!("{text} ({hurt} healthy ones dead)") } else { text };
            return Ok(Told {
                ends,
                text,
                healthy: hurt == 0 && healthy_ended,
                took: started.elapsed(),
                exits,
            });
        }
        exits.extend(stage.revive().await?);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn neighbours(client: &mut Client) -> Result<Vec<Uuid>, Refusal> {
    let ids: Vec<Uuid> = (0..NEIGHBOURS).map(|_| Uuid::now_v7()).collect();
    for id in &ids {
        client.send(good::QUEUE, &good::order(*id)).await?;
    }
    client.confirmed_all().await?;
    Ok(ids)
}

fn is_one_of(dead: &Dead, ids: &[Uuid]) -> bool {
    let id = dead.id.as_deref().and_then(|id| Uuid::try_parse_ascii(id).ok());
    id.is_some_and(|id| ids.contains(&id))
}

fn of_letter(letter: &Dead) -> (Ends, String) {
    match &letter.reason {
        Some(reason) if letter.by_broker => (Ends::GivenUpByBroker, format!("dead, by the broker: {reason}")),
        Some(reason) => (Ends::Dead, format!("dead: {}", shown(reason))),
        None => (Ends::Reasonless, "dead WITHOUT A REASON".to_owned()),
    }
}

fn ended((status, _): &(String, i32)) -> bool {
    ["succeeded", "refused"].contains(&status.as_str())
}

fn of_row((status, attempts): (String, i32)) -> (Ends, String) {
    (Ends::Worked, format!("{status}, attempt {attempts}"))
}

fn shown(reason: &str) -> String {
    let short: String = reason.chars().take(110).collect();
    if short.len() < reason.len() { format!("{short}…") } else { short }
}
