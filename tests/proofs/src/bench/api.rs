//! The API alone: orders posted by an external load tool, each answered once the broker has confirmed it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use millrace_testkit::figures::real;
use millrace_testkit::stack::Unit;
use serde::Deserialize;
use tokio::process::Command;

use crate::bench::orders;
use crate::bench::results::Results;
use crate::bench::stack::{Bench, Ledger};
use crate::error::Error;

pub const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
/// Part of the answer to an accepted line.
const ACCEPTED: &str = r#""status":202"#;

/// What the script prints at the end of a run.
#[derive(Debug, Deserialize)]
struct LoadReport {
    requests: f64,
    seconds: f64,
    /// Requests that were answered other than 202 or not at all.
    failed: f64,
    /// In milliseconds, as the others.
    p50: f64,
    p99: f64,
    p999: f64,
}

pub async fn measure(bench: &Bench, seconds: u64, lines: usize, results: &mut Results) -> Result<(), Error> {
    bench.clear(Ledger::Empty).await?;
    let api = bench.api().await?;
    for connections in CONNECTIONS {
        let report = post(bench, &api, connections, seconds).await?;
        if report.failed > 0.0 {
            return Err(Error::new("posting", format!("{} posts were not answered 202", report.failed)));
        }
        results.note(format!("api.{connections}.rate"), report.requests / report.seconds);
        results.note(format!("api.{connections}.p50"), report.p50);
        results.note(format!("api.{connections}.p99"), report.p99);
        results.note(format!("api.{connections}.p999"), report.p999);
        bench.clear(Ledger::Empty).await?;
    }
    let took = post_batch(bench, &api, lines).await?;
    results.note("api.batch.rate", real(lines) / took.as_secs_f64());
    bench.stop(api).await
}

/// Lets wrk post as fast as its connections are answered.
async fn post(bench: &Bench, api: &Unit, connections: usize, seconds: u64) -> Result<LoadReport, Error> {
    let script = tempfile::Builder::new().suffix(".lua").tempfile()?;
    fs::write(script.path(), self::script(bench))?;
    let output = wrk(script.path(), api, connections, seconds).await?;
    let line = output.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(line)
        .map_err(|error| Error::new(format!("reading what wrk said, {output:?}"), error))
}

async fn wrk(script: &Path, api: &Unit, connections: usize, seconds: u64) -> Result<String, Error> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s"), "--timeout", "10s", "--script"])
        .arg(script)
        .arg(format!("http://{}/v1/jobs/orders.place", api.listens));
    let output = wrk.kill_on_drop(true).output().await?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        return Err(Error::new(format!("wrk ({})", output.status), String::from_utf8_lossy(&text)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn script(bench: &Bench) -> String {
    let template = include_str!("post.lua");
    template.replace("@KEY@", &bench.secrets.api_key).replace("@BODY@", &orders::body(bench.customers[0]))
}

/// Posts many jobs in one request, one per line; returns how long that took.
pub async fn post_batch(bench: &Bench, api: &Unit, lines: usize) -> Result<Duration, Error> {
    let customers = bench.customers.iter().cycle().take(lines);
    let line = |customer| format!("{{\"command\":\"orders.place\",\"data\":{}}}\n", orders::body(customer));
    let body: String = customers.map(|customer| line(*customer)).collect();
    let began = Instant::now();
    let request = bench
        .http
        .post(format!("http://{}/v1/jobs", api.listens))
        .bearer_auth(&bench.secrets.api_key)
        .header("Content-Type", "application/x-ndjson")
        .body(body);
    let answers = request.send().await?.error_for_status()?.text().await?;
    let took = began.elapsed();
    let accepted = answers.lines().filter(|line| line.contains(ACCEPTED)).count();
    if accepted != lines {
        let other = answers.lines().find(|line| !line.contains(ACCEPTED)).unwrap_or_default();
        return Err(Error::new(
            "posting a batch",
            format!("{accepted} of {lines} lines were accepted; another one: {other}"),
        ));
    }
    Ok(took)
}
