//! The door by itself: orders posted by an external load tool, each answered once the broker has confirmed it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use millrace_testkit::figures::real;
use millrace_testkit::stack::Unit;
use serde::Deserialize;
use tokio::process::Command;

use crate::bench::orders;
use crate::bench::results::Results;
use crate::bench::stage::{Broken, Ledger, Stage};

pub const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
/// In the answer to a line that was taken.
const ACCEPTED: &str = r#""status":202"#;

/// What the script prints at the end of a run.
#[derive(Debug, Deserialize)]
struct Told {
    requests: f64,
    seconds: f64,
    /// Anything but 202, and what had no answer.
    failed: f64,
    /// In milliseconds, as the others.
    p50: f64,
    p99: f64,
    p999: f64,
}

pub async fn measure(stage: &Stage, seconds: u64, lines: usize, results: &mut Results) -> Result<(), Broken> {
    stage.clear(Ledger::Empty).await?;
    let door = stage.door().await?;
    for connections in CONNECTIONS {
        let told = post(stage, &door, connections, seconds).await?;
        if told.failed > 0.0 {
            return Err(Broken::Unexpected(format!("{} posts were not answered 202", told.failed)));
        }
        results.note(format!("door.{connections}.rate"), told.requests / told.seconds);
        results.note(format!("door.{connections}.p50"), told.p50);
        results.note(format!("door.{connections}.p99"), told.p99);
        results.note(format!("door.{connections}.p999"), told.p999);
        stage.clear(Ledger::Empty).await?;
    }
    let took = post_batch(stage, &door, lines).await?;
    results.note("door.batch.rate", real(lines) / took.as_secs_f64());
    stage.stop(door).await
}

/// wrk posts as fast as its connections are answered.
async fn post(stage: &Stage, door: &Unit, connections: usize, seconds: u64) -> Result<Told, Broken> {
    let script = tempfile::Builder::new().suffix(".lua").tempfile()?;
    fs::write(script.path(), self::script(stage))?;
    let said = wrk(script.path(), door, connections, seconds).await?;
    let line = said.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(line).map_err(|error| Broken::Unexpected(format!("wrk said {said:?}: {error}")))
}

async fn wrk(script: &Path, door: &Unit, connections: usize, seconds: u64) -> Result<String, Broken> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s"), "--timeout", "10s", "--script"])
        .arg(script)
        .arg(format!("http://{}/v1/jobs/orders.place", door.listens));
    let output = wrk.kill_on_drop(true).output().await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        return Err(Broken::Unexpected(format!("wrk ended with {}: {said}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn script(stage: &Stage) -> String {
    let template = include_str!("post.lua");
    template.replace("@KEY@", &stage.secrets.api_key).replace("@BODY@", &orders::body(stage.customers[0]))
}

/// Many jobs in one request, a job a line; how long that takes.
pub async fn post_batch(stage: &Stage, door: &Unit, lines: usize) -> Result<Duration, Broken> {
    let customers = stage.customers.iter().cycle().take(lines);
    let line = |customer| format!("{{\"command\":\"orders.place\",\"data\":{}}}\n", orders::body(customer));
    let body: String = customers.map(|customer| line(*customer)).collect();
    let began = Instant::now();
    let request = stage
        .http
        .post(format!("http://{}/v1/jobs", door.listens))
        .bearer_auth(&stage.secrets.api_key)
        .header("Content-Type", "application/x-ndjson")
        .body(body);
    let answers = request.send().await?.error_for_status()?.text().await?;
    let took = began.elapsed();
    let accepted = answers.lines().filter(|line| line.contains(ACCEPTED)).count();
    if accepted != lines {
        let other = answers.lines().find(|line| !line.contains(ACCEPTED)).unwrap_or_default();
        return Err(Broken::Unexpected(format!(
            "{accepted} of {lines} lines were accepted; another one: {other}"
        )));
    }
    Ok(took)
}
