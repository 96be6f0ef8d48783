//! Every endpoint while something that the door stands on is broken: what it says is its own, in time, and when to come
//! back.

mod asked;
mod trouble;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::stage::{Broken, PAUSE, Stage, until};
use crate::verdict::{Trial, Verdict};
use crate::wire::{Client, Request};
use asked::{Asked, Kind};
use trouble::Trouble;

/// The door reads Postgres for nine seconds at most.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// What is certain at once, such as that a path is unknown.
const AT_ONCE: Duration = Duration::from_millis(1_200);
/// What a post may wait for on top where Postgres is silent: for a key that isn't known, and for a job's name.
const POST_WITHOUT_DATABASE: Duration = Duration::from_millis(2_500);
/// How often everything is asked.
const TIMES: usize = 3;

pub async fn run(stage: &mut Stage) -> Result<Verdict, Broken> {
    let mut trial = Trial::begin("leaks");
    let customer = stage.customer().await?;
    let job = stage.taken(&asked::order(customer, stage.key())).await?.text("/job_id").unwrap_or_default();
    let mut told = Vec::new();
    for trouble in Trouble::ALL {
        let undo = trouble.begin(stage).await?;
        // What is noticed only with the first answers is asked for until then.
        settle(stage, trouble, &asked::order(customer, stage.key())).await?;
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for _ in 0..TIMES {
            for asked in asked::all(customer, &job, stage.key()) {
                let status = ask(stage, trouble, &asked, &mut trial).await;
                *statuses.entry(status).or_default() += 1;
            }
        }
        trouble.end(stage, undo).await?;
        stage.ready().await?;
        let statuses =
            statuses.iter().map(|(status, count)| format!(" {status}:{count}")).collect::<String>();
        println!("    {trouble:?}:{statuses}");
        told.push(statuses);
    }
    Ok(trial.end(format!(
        "{} kinds of trouble, {} requests each to the doors: no inner word, problem details throughout",
        told.len(),
        TIMES * asked::all(customer, &job, stage.key()).len()
    )))
}

/// Waits until the door has noticed a trouble that makes posts fail.
async fn settle(stage: &Stage, trouble: Trouble, order: &Request) -> Result<(), Broken> {
    if !trouble.is_of_broker() {
        return Ok(());
    }
    until(&format!("{trouble:?} to be noticed"), async || {
        let mut client = Client::of(stage.door(0));
        let answer = client.ask(order, READ_WITHIN).await.answer();
        tokio::time::sleep(PAUSE).await;
        Ok(answer.is_some_and(|answer| answer.status() == 503))
    })
    .await
}

/// Asks once, and looks at the answer; its status, or 0.
async fn ask(stage: &Stage, trouble: Trouble, asked: &Asked, trial: &mut Trial) -> u16 {
    let within = match asked.kind {
        Kind::Post if trouble.is_of_broker() => AT_ONCE,
        Kind::Post => POST_WITHOUT_DATABASE,
        Kind::Read => READ_WITHIN,
        Kind::Neither => AT_ONCE,
    };
    let started = std::time::Instant::now();
    let heard = Client::of(stage.door(0)).ask(&asked.request, READ_WITHIN * 2).await;
    let (took, place) = (started.elapsed(), format!("{trouble:?}, {}", asked.name));
    let Some(answer) = heard.answer() else {
        trial.find(format!("{place}: no answer"));
        return 0;
    };
    trial.must(took <= within, || format!("{place}: answered {} after {took:?}", answer.status()));
    for finding in stage.judge.findings(&answer) {
        trial.find(format!("{place}: {finding}"));
    }
    let fits = match (asked.kind, trouble.is_of_broker()) {
        (Kind::Post, true) => answer.status() == 503,
        (Kind::Post, false) => [200, 202, 503].contains(&answer.status()),
        (Kind::Read, true) => answer.status() == 200,
        (Kind::Read, false) => [200, 503].contains(&answer.status()),
        (Kind::Neither, _) => answer.status() < 500 || answer.status() == 503,
    };
    trial.must(fits, || format!("{place}: answered {} {:?}", answer.status(), answer.problem()));
    answer.status()
}
