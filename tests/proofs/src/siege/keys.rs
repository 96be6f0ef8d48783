//! The same idempotency key posted a hundred times at once, to two API processes of which one keeps dying: one job, one effect.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::services::Server;
use millrace_testkit::services::watchdog::Watchdog;
use millrace_testkit::stack::Unit;
use millrace_testkit::stack::servers::Ending;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::commands;
use crate::error::Error;
use crate::report::{Outcome, Scenario};
use crate::siege::http::{Answer, Client, Request};
use crate::siege::target::{PATIENCE, Target, count};
use crate::wait::until;

const CLIENTS: usize = 100;
const KILL_EVERY: Duration = Duration::from_secs(3);
/// Postgres is stopped this long after the first post, …
const OUTAGE_AFTER: Duration = Duration::from_secs(2);
/// … and started again this much later.
const OUTAGE: Duration = Duration::from_secs(3);

pub async fn run(target: &mut Target, keys: usize) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin("keys");
    let names: Arc<[String]> = (0..keys).map(|_| Uuid::now_v7().simple().to_string()).collect();
    let over = CancellationToken::new();
    let apis = [target.api(0), target.api(1)];
    let key = target.key().to_owned();
    let (dying, watchdog) = (target.stack.units[1].clone(), Arc::clone(&target.stack.units.watchdog));
    let posting = async {
        let answers = post_all(apis, &key, &names).await;
        over.cancel();
        answers
    };
    let (answers, deaths, outage) =
        tokio::join!(posting, kill(&dying, &watchdog, &over), outage(target, &over));
    let (answers, deaths) = (answers, deaths?);
    outage?;
    target.stack.until_ready().await?;
    let mut jobs = Vec::new();
    for (name, answers) in names.iter().zip(&answers) {
        jobs.push(one_job(target, name, answers, &mut scenario).await?);
    }
    effects(target, &names, &jobs, &mut scenario).await?;
    for name in names.iter() {
        other_body(target, name, &mut scenario).await;
    }
    let taken = answers.iter().flatten().filter(|answer| answer.status() == 202).count();
    Ok(scenario.end(format!(
        "{keys} keys posted {CLIENTS} times each at once: {taken} answers 202, {} others, {} without an answer; an API process was \
         killed {deaths} times, Postgres away for {} s",
        answers.iter().flatten().count() - taken,
        keys * CLIENTS - answers.iter().flatten().count(),
        OUTAGE.as_secs(),
    )))
}

fn request(name: &str, person: &str, key: &str) -> Request {
    let mut body = commands::register(&email(name));
    body["name"] = person.into();
    Request::job("users.register", &body, key).with("Idempotency-Key", format!("\"{name}\""))
}

fn email(name: &str) -> String {
    format!("{name}@example.com")
}

/// Posts one key after the other, each by all clients at once; returns the answers to each key.
async fn post_all(apis: [SocketAddr; 2], key: &str, names: &Arc<[String]>) -> Vec<Vec<Answer>> {
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (barrier, names, key) = (Arc::clone(&barrier), Arc::clone(names), key.to_owned());
        clients.spawn(async move {
            let (mut client, mut answers) = (Client::of(apis[number % 2]), Vec::new());
            for name in names.iter() {
                barrier.wait().await;
                answers.push(client.send(&request(name, "Ada Lovelace", &key), PATIENCE).await.answer());
            }
            answers
        });
    }
    let mut by_key = vec![Vec::new(); names.len()];
    for answers in clients.join_all().await {
        for (number, answer) in answers.into_iter().enumerate() {
            by_key[number].extend(answer);
        }
    }
    by_key
}

/// Kills an API process now and then and starts it again; returns how often.
async fn kill(api: &Unit, watchdog: &Watchdog, over: &CancellationToken) -> Result<usize, Error> {
    let mut deaths = 0;
    while over.run_until_cancelled(tokio::time::sleep(KILL_EVERY)).await.is_some() {
        let mut program = api.program.lock().await;
        program.kill()?;
        deaths += 1;
        program.start_again(watchdog)?;
    }
    Ok(deaths)
}

async fn outage(target: &mut Target, over: &CancellationToken) -> Result<(), Error> {
    // A run that ends sooner has its outage all the same, before the checks.
    over.run_until_cancelled(tokio::time::sleep(OUTAGE_AFTER)).await.unwrap_or(());
    target.stack.servers.end(Server::Database, Ending::Stop).await?;
    tokio::time::sleep(OUTAGE).await;
    Ok(target.stack.servers.start_again(Server::Database).await?)
}

/// The job of a key; all answers must name the same one.
async fn one_job(
    target: &Target,
    name: &str,
    answers: &[Answer],
    scenario: &mut Scenario,
) -> Result<Uuid, Error> {
    let last = target.accepted(&request(name, "Ada Lovelace", target.key())).await?;
    let taken: Vec<_> = answers.iter().filter(|answer| answer.status() == 202).chain([&last]).collect();
    let jobs: BTreeSet<_> =
        taken.iter().map(|answer| (answer.text("/job_id"), answer.text("/command"))).collect();
    scenario.require(jobs.len() == 1, || format!("key {name} gave {jobs:?}"));
    for answer in answers.iter().filter(|answer| ![202, 503].contains(&answer.status())) {
        scenario.violation(format!("key {name} is answered {} {:?}", answer.status(), answer.problem()));
    }
    for violation in answers.iter().flat_map(|answer| target.rules.violations(answer)) {
        scenario.violation(violation);
    }
    Ok(last.text("/job_id").and_then(|job| job.parse().ok()).unwrap_or_default())
}

/// One ledger row for each job, and one user.
async fn effects(
    target: &Target,
    names: &[String],
    jobs: &[Uuid],
    scenario: &mut Scenario,
) -> Result<(), Error> {
    let mut session = target.stack.servers.session().await?;
    const ROWS: &str = "SELECT count(*) FROM ledger.entries WHERE handler = 'users' AND message_id = $1
         AND status = 'succeeded'";
    for (name, job) in names.iter().zip(jobs) {
        until("a keyed job to be done", PATIENCE, async || Ok(count(&mut session, ROWS, *job).await? >= 1))
            .await?;
        let all = "SELECT count(*) FROM ledger.entries WHERE message_id = $1";
        let rows = count(&mut session, all, *job).await?;
        let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users.users WHERE email = $1")
            .bind(email(name))
            .fetch_one(&mut session)
            .await?;
        scenario.require((rows, users) == (1, 1), || {
            format!("key {name} made {rows} ledger rows and {users} users")
        });
    }
    Ok(())
}

/// Another body under the same key is refused by both API processes.
async fn other_body(target: &Target, name: &str, scenario: &mut Scenario) {
    for api in [target.api(0), target.api(1)] {
        let answer =
            Client::of(api).send(&request(name, "Grace Hopper", target.key()), PATIENCE).await.answer();
        let seen = answer.map(|answer| (answer.status(), answer.problem()));
        let refused = Some((422, Some("idempotency-key-reused".to_owned())));
        scenario.require(seen == refused, || format!("key {name} with another body is answered {seen:?}"));
    }
}
