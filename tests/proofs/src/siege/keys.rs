//! The same idempotency key posted a hundred times at once, to two doors of which one keeps dying: one job, one effect.

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

use crate::siege::commands;
use crate::siege::stage::{Broken, PATIENCE, Stage, count, until};
use crate::siege::verdict::{Trial, Verdict};
use crate::siege::wire::{Answer, Client, Request};

const CLIENTS: usize = 100;
const KILL_EVERY: Duration = Duration::from_secs(3);
/// After so many keys, Postgres is away for a while.
const OUTAGE_AFTER: Duration = Duration::from_secs(2);
const OUTAGE: Duration = Duration::from_secs(3);

pub async fn run(stage: &mut Stage, keys: usize) -> Result<Verdict, Broken> {
    let mut trial = Trial::begin("keys");
    let names: Arc<[String]> = (0..keys).map(|_| Uuid::now_v7().simple().to_string()).collect();
    let over = CancellationToken::new();
    let doors = [stage.door(0), stage.door(1)];
    let key = stage.key().to_owned();
    let (dying, watchdog) = (stage.doors().remove(1), Arc::clone(&stage.stack.watchdog));
    let posting = async {
        let answers = post_all(doors, &key, &names).await;
        over.cancel();
        answers
    };
    let (answers, deaths, outage) =
        tokio::join!(posting, kill(&dying, &watchdog, &over), outage(stage, &over));
    let (answers, deaths) = (answers, deaths?);
    outage?;
    stage.ready().await?;
    let mut jobs = Vec::new();
    for (name, answers) in names.iter().zip(&answers) {
        jobs.push(one_job(stage, name, answers, &mut trial).await?);
    }
    effects(stage, &names, &jobs, &mut trial).await?;
    for name in names.iter() {
        other_body(stage, name, &mut trial).await;
    }
    let taken = answers.iter().flatten().filter(|answer| answer.status() == 202).count();
    Ok(trial.end(format!(
        "{keys} keys posted {CLIENTS} times each at once: {taken} answers 202, {} others, {} without an answer; a door was \
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

/// Every key by all clients at once, one key after the other; the answers to each.
async fn post_all(doors: [SocketAddr; 2], key: &str, names: &Arc<[String]>) -> Vec<Vec<Answer>> {
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (barrier, names, key) = (Arc::clone(&barrier), Arc::clone(names), key.to_owned());
        clients.spawn(async move {
            let (mut client, mut answers) = (Client::of(doors[number % 2]), Vec::new());
            for name in names.iter() {
                barrier.wait().await;
                answers.push(client.ask(&request(name, "Ada Lovelace", &key), PATIENCE).await.answer());
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

/// Kills a door now and then, and starts it again; how often.
async fn kill(door: &Unit, watchdog: &Watchdog, over: &CancellationToken) -> Result<usize, Broken> {
    let mut deaths = 0;
    while over.run_until_cancelled(tokio::time::sleep(KILL_EVERY)).await.is_some() {
        let mut program = door.program.lock().await;
        program.kill()?;
        deaths += 1;
        program.start_again(watchdog)?;
    }
    Ok(deaths)
}

async fn outage(stage: &mut Stage, over: &CancellationToken) -> Result<(), Broken> {
    // A run that is over sooner has its outage all the same, before anything is looked at.
    over.run_until_cancelled(tokio::time::sleep(OUTAGE_AFTER)).await.unwrap_or(());
    stage.stack.servers.end(Server::Database, Ending::Stop).await?;
    tokio::time::sleep(OUTAGE).await;
    Ok(stage.stack.servers.start_again(Server::Database).await?)
}

/// The job of a key, which all answers must name.
async fn one_job(stage: &Stage, name: &str, answers: &[Answer], trial: &mut Trial) -> Result<Uuid, Broken> {
    let last = stage.taken(&request(name, "Ada Lovelace", stage.key())).await?;
    let taken: Vec<_> = answers.iter().filter(|answer| answer.status() == 202).chain([&last]).collect();
    let jobs: BTreeSet<_> =
        taken.iter().map(|answer| (answer.text("/job_id"), answer.text("/command"))).collect();
    trial.must(jobs.len() == 1, || format!("key {name} gave {jobs:?}"));
    for answer in answers.iter().filter(|answer| ![202, 503].contains(&answer.status())) {
        trial.find(format!("key {name} is answered {} {:?}", answer.status(), answer.problem()));
    }
    for finding in answers.iter().flat_map(|answer| stage.judge.findings(answer)) {
        trial.find(finding);
    }
    Ok(last.text("/job_id").and_then(|job| job.parse().ok()).unwrap_or_default())
}

/// One ledger row for each job, and one user.
async fn effects(stage: &Stage, names: &[String], jobs: &[Uuid], trial: &mut Trial) -> Result<(), Broken> {
    let mut session = stage.stack.servers.session().await?;
    const ROWS: &str = "SELECT count(*) FROM ledger.entries WHERE handler = 'users' AND message_id = $1
         AND status = 'succeeded'";
    for (name, job) in names.iter().zip(jobs) {
        until("a keyed job to be done", async || Ok(count(&mut session, ROWS, *job).await? >= 1)).await?;
        let all = "SELECT count(*) FROM ledger.entries WHERE message_id = $1";
        let rows = count(&mut session, all, *job).await?;
        let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users.users WHERE email = $1")
            .bind(email(name))
            .fetch_one(&mut session)
            .await?;
        trial.must((rows, users) == (1, 1), || {
            format!("key {name} made {rows} ledger rows and {users} users")
        });
    }
    Ok(())
}

/// Another body under the same key is refused at both doors.
async fn other_body(stage: &Stage, name: &str, trial: &mut Trial) {
    for door in [stage.door(0), stage.door(1)] {
        let answer =
            Client::of(door).ask(&request(name, "Grace Hopper", stage.key()), PATIENCE).await.answer();
        let told = answer.map(|answer| (answer.status(), answer.problem()));
        let refused = Some((422, Some("idempotency-key-reused".to_owned())));
        trial.must(told == refused, || format!("key {name} with another body is answered {told:?}"));
    }
}
