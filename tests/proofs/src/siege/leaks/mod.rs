//! Every endpoint while something that the door stands on is broken: what it says is its own, in time, and when to come
//! back.

mod asked;
mod trouble;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::siege::stage::{Broken, PAUSE, Stage, until};
use crate::siege::verdict::{Trial, Verdict};
use crate::siege::wire::{Client, Request};
use asked::{Asked, Kind};
use trouble::Trouble;

/// The door reads Postgres for nine seconds at most.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// What a post is answered within whatever the broker does.
const AT_ONCE: Duration = Duration::from_millis(1_200);
/// What a post may wait for on top where Postgres is silent: for a key that isn't known, and for a job's name.
const POST_WITHOUT_DATABASE: Duration = Duration::from_millis(2_500);
/// How often everything is asked.
const TIMES: usize = 2;

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
            // All at once: some wait for seconds.
            let all = asked::all(customer, &job, stage.key());
            for (status, findings) in join_all(all.iter().map(|asked| ask(stage, trouble, asked))).await {
                *statuses.entry(status).or_default() += 1;
                findings.into_iter().for_each(|finding| trial.find(finding));
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

/// Asks once, and looks at the answer: its status, or 0, and what is wrong with it.
async fn ask(stage: &Stage, trouble: Trouble, asked: &Asked) -> (u16, Vec<String>) {
    let within = match asked.kind {
        Kind::Post if trouble.is_of_broker() => AT_ONCE,
        Kind::Post => POST_WITHOUT_DATABASE,
        Kind::Read | Kind::Neither => READ_WITHIN,
    };
    let started = Instant::now();
    let heard = Client::of(stage.door(0)).ask(&asked.request, READ_WITHIN * 2).await;
    let took = started.elapsed();
    let Some(answer) = heard.answer() else {
        return (0, vec![format!("{trouble:?}, {}: no answer", asked.name)]);
    };
    let mut findings = stage.judge.findings(&answer);
    if took > within {
        findings.push(format!("answered {} after {took:?}", answer.status()));
    }
    let fits = match (asked.kind, trouble.is_of_broker()) {
        (Kind::Post, true) => answer.status() == 503,
        (Kind::Post, false) => [200, 202, 503].contains(&answer.status()),
        (Kind::Read, true) => answer.status() == 200,
        (Kind::Read, false) => [200, 503].contains(&answer.status()),
        (Kind::Neither, _) => answer.status() < 500 || answer.status() == 503,
    };
    if !fits {
        findings.push(format!("answered {} {:?}", answer.status(), answer.problem()));
    }
    let findings = findings.into_iter().map(|finding| format!("{trouble:?}, {}: {finding}", asked.name));
    (answer.status(), findings.collect())
}
