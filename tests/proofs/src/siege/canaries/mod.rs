//! Secrets that are looked for afterwards, wherever programs leave anything: logs, queues, tables, metrics.

mod places;

use std::path::Path;

use millrace_contracts::ApiKey;
use millrace_testkit::services::ports;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::siege::stage::{Broken, PATIENCE, Stage, count, until};
use crate::siege::verdict::{Trial, Verdict};
use crate::siege::wire::{Answer, Client, Request};
use places::Places;

/// All that our own programs can say, and what libraries say that is not byte by byte.
const LOGS: &str = "debug,producer_api=trace,millrace_broker=trace,millrace_service=trace,millrace_runtime=trace,\
                    millrace_workers=trace,millrace_protocol=trace,millrace_contracts=trace,lapin=info";

/// Makes passwords fail when they are saved, so that they are tried again and given up.
const REFUSE_ACCOUNTS: &str =
    "ALTER TABLE auth.accounts ADD CONSTRAINT besieged CHECK (version < 0) NOT VALID";
const ENDED: &str = "SELECT count(*) FROM ledger.entries WHERE message_id = $1 AND status <> 'retrying'";

/// What must be found nowhere, and what must be found, or nothing was looked at.
struct Planted {
    canaries: Vec<(&'static str, String)>,
    user: Uuid,
    /// Of the keys that were issued.
    hashes: Vec<String>,
    jobs: Vec<Uuid>,
}

pub async fn run(programs: &Path, logs: &Path) -> Result<Verdict, Broken> {
    let mut trial = Trial::begin("canaries");
    let stage = Stage::set(programs, logs, LOGS).await?;
    let customer = stage.customer().await?;
    // What is posted lies in its queue until it has been looked at there.
    stage.stop_workers().await?;
    let planted = plant(&stage, customer, &mut trial).await?;
    let mut places = Places::default();
    places.read_queues(&stage).await?;
    trial.must(places.has(&planted.user.to_string()), || "the queues were not looked at".to_owned());
    for hash in &planted.hashes {
        trial.must(places.has(hash), || "a new key's hash is in no queue".to_owned());
    }
    // Then it is tried, tried again, given up or done, and looked for at each turn.
    execute(&stage, REFUSE_ACCOUNTS).await?;
    stage.start_workers().await?;
    noted(&stage, &planted, "SELECT count(*) FROM ledger.entries WHERE message_id = $1").await?;
    stage.stop_workers().await?;
    places.read_queues(&stage).await?;
    stage.start_workers().await?;
    use_keys(&stage, &planted).await?;
    noted(&stage, &planted, ENDED).await?;
    places.read_metrics(&stage).await;
    stage.stop_workers().await?;
    places.read_queues(&stage).await?;
    trial.must(places.names("the queue auth.dead"), || "no password has become a dead letter".to_owned());
    places.read_tables(&stage).await?;
    places.read_logs(&stage.logs)?;
    for job in &planted.jobs {
        trial.must(places.has(&job.to_string()), || format!("job {job} is in no place that was looked at"));
    }
    for (name, canary) in &planted.canaries {
        for place in places.with(canary) {
            trial.find(format!("{name} is in {place}"));
        }
    }
    trial.must(stage.panics() == 0, || "a door's log tells of a panic".to_owned());
    Ok(trial.end(format!("{} secrets looked for in {places}", planted.canaries.len())))
}

/// Lets secrets in at every place where clients put them, right and wrong.
async fn plant(stage: &Stage, customer: Uuid, trial: &mut Trial) -> Result<Planted, Broken> {
    let canary = || format!("canary{}{}", ports::password(), ports::password());
    let mut planted = Planted { canaries: Vec::new(), user: customer, hashes: Vec::new(), jobs: Vec::new() };
    let mut client = Client::of(stage.door(0));
    let key = stage.key().to_owned();
    planted.canaries.push(("the development key", key.clone()));
    for (name, request) in wrong_and_right(customer, &key, &canary) {
        let (kind, secret) = name;
        let answer = client.ask(&request, PATIENCE).await.answer();
        note(kind, &secret, answer, &mut planted, trial);
        planted.canaries.push((kind, secret));
    }
    for name in [None, Some(canary())] {
        let body = json!({"client_id": "shop", "name": "shop", "scopes": ["jobs:orders.*"]});
        let mut request = Request::job("auth.issue-api-key", &body, &key);
        if let Some(name) = name {
            request = request.with("Idempotency-Key", format!("\"{name}\""));
        }
        let answer = stage.taken(&request).await?;
        let issued = answer.text("/api_key").unwrap_or_default();
        trial.must(!issued.is_empty(), || "a new key is not shown".to_owned());
        planted.hashes.push(ApiKey::hash_of(&issued).as_str().to_owned());
        planted.jobs.extend(job(&answer));
        planted.canaries.push(("a new API key", issued));
    }
    Ok(planted)
}

/// A secret, what it is, and the request that it is in.
fn wrong_and_right(
    customer: Uuid,
    key: &str,
    canary: &impl Fn() -> String,
) -> Vec<((&'static str, String), Request)> {
    let mut requests = Vec::new();
    let mut job = |kind, body: &dyn Fn(&str) -> Value| {
        let secret = canary();
        requests.push(((kind, secret.clone()), Request::job("auth.set-password", &body(&secret), key)));
    };
    job("a password", &|secret| json!({"user_id": customer, "password": secret}));
    job("a password of nobody", &|secret| json!({"user_id": Uuid::now_v7(), "password": secret}));
    job("a password of an id that is none", &|secret| json!({"user_id": "x", "password": secret}));
    job("a password that is a list", &|secret| json!({"user_id": customer, "password": [secret]}));
    job("a password in the wrong field", &|secret| json!({"user_id": secret, "password": 7}));
    job(
        "a password beside a field too many",
        &|secret| json!({"user_id": customer, "password": secret, "more": 1}),
    );
    job("a password that is too long", &|secret| json!({"user_id": customer, "password": secret.repeat(9)}));
    job("a password alone", &|secret| json!(secret));
    let mut other = |kind, request: &dyn Fn(&str) -> Request| {
        let secret = canary();
        requests.push(((kind, secret.clone()), request(&secret)));
    };
    let batch = |line: String| Request::post("/v1/jobs", "application/x-ndjson", line, key);
    other("a password in a batch", &|secret| {
        let data = json!({"user_id": customer, "password": secret});
        batch(json!({"command": "auth.set-password", "data": data}).to_string())
    });
    other("a password as a line", &|secret| batch(json!(secret).to_string()));
    other("a password in a broken line", &|secret| batch(format!("{{\"password\":\"{secret}\"")));
    other("a password in a broken body", &|secret| {
        Request::post(
            "/v1/jobs/auth.set-password",
            "application/json",
            format!("{{\"password\":\"{secret}\""),
            key,
        )
    });
    other("an unknown key", &|secret| Request::get("/v1/jobs", secret));
    other("a key in the wrong scheme", &|secret| {
        Request::get("/v1/jobs", key).instead("Authorization", format!("Basic {secret}"))
    });
    other("a key in a query", &|secret| Request::get(format!("/v1/jobs?api_key={secret}"), key));
    other("a key in a path", &|secret| Request::get(format!("/v1/jobs/{secret}"), key));
    requests
}

fn note(kind: &str, secret: &str, answer: Option<Answer>, planted: &mut Planted, trial: &mut Trial) {
    let Some(answer) = answer else {
        return trial.find(format!("{kind}: no answer"));
    };
    let body = String::from_utf8_lossy(&answer.body);
    trial.must(!body.contains(secret), || format!("{kind} is repeated in the answer: {body}"));
    planted.jobs.extend(job(&answer));
}

fn job(answer: &Answer) -> Option<Uuid> {
    answer.text("/job_id")?.parse().ok()
}

/// The new keys work, which is noted of them.
async fn use_keys(stage: &Stage, planted: &Planted) -> Result<(), Broken> {
    for (_, key) in planted.canaries.iter().filter(|(kind, _)| *kind == "a new API key") {
        until("a new key to work", async || {
            let mut client = Client::of(stage.door(1));
            let answer = client.ask(&Request::get("/v1/jobs", key), PATIENCE).await.answer();
            Ok(answer.is_some_and(|answer| answer.status() == 200))
        })
        .await?;
    }
    Ok(())
}

/// Waits until this names a row for each job.
async fn noted(stage: &Stage, planted: &Planted, sql: &'static str) -> Result<(), Broken> {
    let mut session = stage.stack.servers.session().await?;
    for job in &planted.jobs {
        let noted = async || Ok(count(&mut session, sql, *job).await? > 0);
        until("a planted job to be worked", noted).await?;
    }
    Ok(())
}

async fn execute(stage: &Stage, statement: &'static str) -> Result<(), Broken> {
    let mut session = stage.stack.servers.session().await?;
    sqlx::raw_sql(statement).execute(&mut session).await?;
    Ok(())
}
