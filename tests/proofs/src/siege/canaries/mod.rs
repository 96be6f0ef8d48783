//! Secrets that are searched for afterwards wherever programs leave anything: logs, queues, tables, metrics.

mod traces;

use std::path::Path;

use millrace_contracts::ApiKey;
use millrace_testkit::services::ports;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::Error;
use crate::report::{Outcome, Scenario};
use crate::siege::http::{Answer, Client, Request};
use crate::siege::target::{PATIENCE, STOP_PATIENCE, Target, count};
use crate::wait::until;
use traces::Traces;

/// As much as Millrace's programs can log, and what libraries log without dumping every byte.
const LOGS: &str = "debug,producer_api=trace,millrace_broker=trace,millrace_service=trace,millrace_runtime=trace,\
                    millrace_workers=trace,millrace_protocol=trace,millrace_contracts=trace,lapin=info";

/// Makes saving a password fail, so that it is retried and given up.
const REFUSE_ACCOUNTS: &str =
    "ALTER TABLE auth.accounts ADD CONSTRAINT besieged CHECK (version < 0) NOT VALID";
const ENDED: &str = "SELECT count(*) FROM ledger.entries WHERE message_id = $1 AND status <> 'retrying'";

/// The secrets, which must be found nowhere, and what must be found, or else the search is broken.
struct Planted {
    canaries: Vec<(&'static str, String)>,
    user: Uuid,
    /// Hashes of the keys that were issued.
    hashes: Vec<String>,
    jobs: Vec<Uuid>,
}

pub async fn run(programs: &Path, logs: &Path) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin("canaries");
    let target = Target::start(programs, logs, LOGS).await?;
    let customer = target.customer().await?;
    // Posted jobs stay in their queues until those have been searched.
    target.stack.units.stop_workers(STOP_PATIENCE).await?;
    let planted = plant(&target, customer, &mut scenario).await?;
    let mut traces = Traces::default();
    traces.read_queues(&target).await?;
    scenario.require(traces.has(&planted.user.to_string()), || "the queues were not searched".to_owned());
    for hash in &planted.hashes {
        scenario.require(traces.has(hash), || "a new key's hash is in no queue".to_owned());
    }
    // Then the jobs are tried, retried, given up or done, and the secrets are searched for after each step.
    execute(&target, REFUSE_ACCOUNTS).await?;
    target.stack.start_workers().await?;
    noted(&target, &planted, "SELECT count(*) FROM ledger.entries WHERE message_id = $1").await?;
    target.stack.units.stop_workers(STOP_PATIENCE).await?;
    traces.read_queues(&target).await?;
    target.stack.start_workers().await?;
    use_keys(&target, &planted).await?;
    noted(&target, &planted, ENDED).await?;
    traces.read_metrics(&target).await;
    target.stack.units.stop_workers(STOP_PATIENCE).await?;
    traces.read_queues(&target).await?;
    scenario
        .require(traces.names("the queue auth.dead"), || "no password has become a dead letter".to_owned());
    traces.read_tables(&target).await?;
    traces.read_logs(&target.logs)?;
    for job in &planted.jobs {
        scenario
            .require(traces.has(&job.to_string()), || format!("job {job} is in no place that was searched"));
    }
    for (name, canary) in &planted.canaries {
        for place in traces.with(canary) {
            scenario.violation(format!("{name} is in {place}"));
        }
    }
    scenario.require(target.panics() == 0, || "the API's log tells of a panic".to_owned());
    Ok(scenario.end(format!("{} secrets looked for in {traces}", planted.canaries.len())))
}

/// Sends secrets in every place where clients put them, rightly or wrongly.
async fn plant(target: &Target, customer: Uuid, scenario: &mut Scenario) -> Result<Planted, Error> {
    let canary = || format!("canary{}{}", ports::password(), ports::password());
    let mut planted = Planted { canaries: Vec::new(), user: customer, hashes: Vec::new(), jobs: Vec::new() };
    let mut client = Client::of(target.api(0));
    let key = target.key().to_owned();
    planted.canaries.push(("the development key", key.clone()));
    for (name, request) in wrong_and_right(customer, &key, &canary) {
        let (kind, secret) = name;
        let answer = client.send(&request, PATIENCE).await.answer();
        note(kind, &secret, answer, &mut planted, scenario);
        planted.canaries.push((kind, secret));
    }
    for name in [None, Some(canary())] {
        let body = json!({"client_id": "shop", "name": "shop", "scopes": ["jobs:orders.*"]});
        let mut request = Request::job("auth.issue-api-key", &body, &key);
        if let Some(name) = name {
            request = request.with("Idempotency-Key", format!("\"{name}\""));
        }
        let answer = target.accepted(&request).await?;
        let issued = answer.text("/api_key").unwrap_or_default();
        scenario.require(!issued.is_empty(), || "a new key is not shown".to_owned());
        planted.hashes.push(ApiKey::hash_of(&issued).as_str().to_owned());
        planted.jobs.extend(job(&answer));
        planted.canaries.push(("a new API key", issued));
    }
    Ok(planted)
}

/// What each secret is, the secret, and the request that contains it.
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

fn note(kind: &str, secret: &str, answer: Option<Answer>, planted: &mut Planted, scenario: &mut Scenario) {
    let Some(answer) = answer else {
        return scenario.violation(format!("{kind}: no answer"));
    };
    let body = String::from_utf8_lossy(&answer.body);
    scenario.require(!body.contains(secret), || format!("{kind} is repeated in the answer: {body}"));
    planted.jobs.extend(job(&answer));
}

fn job(answer: &Answer) -> Option<Uuid> {
    answer.text("/job_id")?.parse().ok()
}

/// Uses the new keys, which records their last use.
async fn use_keys(target: &Target, planted: &Planted) -> Result<(), Error> {
    for (_, key) in planted.canaries.iter().filter(|(kind, _)| *kind == "a new API key") {
        until("a new key to work", PATIENCE, async || {
            let mut client = Client::of(target.api(1));
            let answer = client.send(&Request::get("/v1/jobs", key), PATIENCE).await.answer();
            Ok(answer.is_some_and(|answer| answer.status() == 200))
        })
        .await?;
    }
    Ok(())
}

/// Waits until this statement counts a row for each job.
async fn noted(target: &Target, planted: &Planted, sql: &'static str) -> Result<(), Error> {
    let mut session = target.stack.servers.session().await?;
    for job in &planted.jobs {
        let noted = async || Ok(count(&mut session, sql, *job).await? > 0);
        until("a planted job to be processed", PATIENCE, noted).await?;
    }
    Ok(())
}

async fn execute(target: &Target, statement: &'static str) -> Result<(), Error> {
    let mut session = target.stack.servers.session().await?;
    sqlx::raw_sql(statement).execute(&mut session).await?;
    Ok(())
}
