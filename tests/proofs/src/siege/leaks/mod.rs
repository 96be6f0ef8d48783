//! Every endpoint while the broker or the database is broken: the answers come in time, leak nothing internal, and say when to
//! retry.

mod fault;
mod requests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::error::Error;
use crate::report::{Outcome, Scenario};
use crate::siege::http::{Client, Request};
use crate::siege::target::{PATIENCE, PAUSE, Target};
use crate::wait::until;
use fault::Fault;
use requests::{Kind, Probe};

/// The API reads Postgres for nine seconds at most.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// Deadline of a post's answer, whatever the broker does.
const AT_ONCE: Duration = Duration::from_millis(1_200);
/// Deadline of a post's answer while Postgres is silent: the API looks for an unknown key and for the idempotency key.
const POST_WITHOUT_DATABASE: Duration = Duration::from_millis(2_500);
/// How often each request is sent during each fault.
const TIMES: usize = 2;

pub async fn run(target: &mut Target) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin("leaks");
    let customer = target.customer().await?;
    let job =
        target.accepted(&requests::order(customer, target.key())).await?.text("/job_id").unwrap_or_default();
    let mut seen = Vec::new();
    for fault in Fault::ALL {
        let undo = fault.begin(target).await?;
        // Some faults are noticed only by a failing request.
        settle(target, fault, &requests::order(customer, target.key())).await?;
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for _ in 0..TIMES {
            // All at once: some wait for seconds.
            let all = requests::all(customer, &job, target.key());
            for (status, violations) in join_all(all.iter().map(|probe| ask(target, fault, probe))).await {
                *statuses.entry(status).or_default() += 1;
                violations.into_iter().for_each(|violation| scenario.violation(violation));
            }
        }
        fault.end(target, undo).await?;
        target.stack.until_ready().await?;
        let statuses =
            statuses.iter().map(|(status, count)| format!(" {status}:{count}")).collect::<String>();
        println!("    {fault:?}:{statuses}");
        seen.push(statuses);
    }
    Ok(scenario.end(format!(
        "{} faults, {} requests each to the APIs: nothing internal leaked, problem details throughout",
        seen.len(),
        TIMES * requests::all(customer, &job, target.key()).len()
    )))
}

/// Waits until the API has noticed a fault that makes posts fail.
async fn settle(target: &Target, fault: Fault, order: &Request) -> Result<(), Error> {
    if !fault.is_of_broker() {
        return Ok(());
    }
    until(&format!("{fault:?} to be noticed"), PATIENCE, async || {
        let mut client = Client::of(target.api(0));
        let answer = client.send(order, READ_WITHIN).await.answer();
        tokio::time::sleep(PAUSE).await;
        Ok(answer.is_some_and(|answer| answer.status() == 503))
    })
    .await
    .map(drop)
}

/// Sends one request; returns the answer's status, or 0, and the violations in it.
async fn ask(target: &Target, fault: Fault, probe: &Probe) -> (u16, Vec<String>) {
    let within = match probe.kind {
        Kind::Post if fault.is_of_broker() => AT_ONCE,
        Kind::Post => POST_WITHOUT_DATABASE,
        Kind::Read | Kind::Neither => READ_WITHIN,
    };
    let started = Instant::now();
    let reply = Client::of(target.api(0)).send(&probe.request, READ_WITHIN * 2).await;
    let took = started.elapsed();
    let Some(answer) = reply.answer() else {
        return (0, vec![format!("{fault:?}, {}: no answer", probe.name)]);
    };
    let mut violations = target.rules.violations(&answer);
    if took > within {
        violations.push(format!("answered {} after {took:?}", answer.status()));
    }
    let fits = match (probe.kind, fault.is_of_broker()) {
        (Kind::Post, true) => answer.status() == 503,
        (Kind::Post, false) => [200, 202, 503].contains(&answer.status()),
        (Kind::Read, true) => answer.status() == 200,
        (Kind::Read, false) => [200, 503].contains(&answer.status()),
        (Kind::Neither, _) => answer.status() < 500 || answer.status() == 503,
    };
    if !fits {
        violations.push(format!("answered {} {:?}", answer.status(), answer.problem()));
    }
    let violations =
        violations.into_iter().map(|violation| format!("{fault:?}, {}: {violation}", probe.name));
    (answer.status(), violations.collect())
}
