//! A large batch with some invalid lines: every line is answered in order, and memory does not grow with the batch.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use millrace_testkit::figures::{mib, real};
use millrace_testkit::stack::resources::Resources;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::commands;
use crate::connections::Broker;
use crate::error::Error;
use crate::report::{Outcome, Scenario};
use crate::siege::answer_rules::short;
use crate::siege::http::{Connection, Reader};
use crate::siege::target::{STOP_PATIENCE, Target};

const SPOILT_EVERY: usize = 1_000;
const CHUNK_LINES: usize = 64;
const WARMING_UP: usize = 5_000;
const RSS_GROWTH_MAX_KIB: u64 = 32 * 1024;
const SAMPLE: Duration = Duration::from_millis(50);
/// The longest pause between two lines of the answer.
const LINE_PATIENCE: Duration = Duration::from_secs(30);

/// Problem of a job that the broker did not confirm in time, which may happen on a busy machine.
const UNCONFIRMED: &str = "urn:millrace:problem:unconfirmed";

/// Counts of the answers to a batch.
#[derive(Debug, Default)]
struct Reply {
    answers: usize,
    late: usize,
}

pub async fn run(target: &Target, lines: usize) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin("batch");
    // Without workers the queue just fills, and only the API is measured.
    target.stack.units.stop_workers(STOP_PATIENCE).await?;
    // Warm-up first: what stays allocated once and for all is no growth.
    send(target, WARMING_UP, &mut scenario).await?;
    let before = target.rss(0).await;
    let (peak, done) = (Arc::new(AtomicU64::new(before)), CancellationToken::new());
    let sampling = tokio::spawn(sample(target.api_pids().await[0], Arc::clone(&peak), done.clone()));
    let started = Instant::now();
    let Reply { answers, late } = send(target, lines, &mut scenario).await?;
    let took = started.elapsed();
    done.cancel();
    scenario.require(sampling.await.is_ok(), || "memory was not sampled".to_owned());
    scenario.require(late * 1_000 <= lines, || format!("{late} jobs were not confirmed in time"));
    scenario.require(answers == lines, || format!("{answers} answers to {lines} lines"));
    let peak = peak.load(Ordering::Relaxed);
    let growth = peak.saturating_sub(before);
    scenario.require(growth <= RSS_GROWTH_MAX_KIB, || format!("the API grew by {:.1} MiB", mib(growth)));
    let broker = Broker::connect(&target.stack.servers.amqp_url).await?;
    let purged = broker.purge("orders").await?;
    broker.close().await;
    target.stack.start_workers().await?;
    Ok(scenario.end(format!(
        "{answers} of {lines} lines answered in order in {:.1} s ({:.0} lines/s), {late} of them that the broker had \
         not confirmed in time; the API's memory {:.1} MiB before, {:.1} \
         MiB at most; {purged} jobs lay in the queue",
        took.as_secs_f64(),
        real(answers) / took.as_secs_f64(),
        mib(before),
        mib(peak),
    )))
}

/// Records the highest memory until it is stopped.
async fn sample(pid: u32, peak: Arc<AtomicU64>, done: CancellationToken) {
    let sampling = async {
        loop {
            let rss = Resources::of(pid).map_or(0, |resources| resources.rss_kib);
            peak.fetch_max(rss, Ordering::Relaxed);
            tokio::time::sleep(SAMPLE).await;
        }
    };
    done.run_until_cancelled(sampling).await.unwrap_or(())
}

/// Sends a batch and checks each line of the answer.
async fn send(target: &Target, lines: usize, scenario: &mut Scenario) -> Result<Reply, Error> {
    let Connection { reader, mut writer } = Connection::open(target.api(0)).await?;
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: millrace\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        target.key()
    );
    writer.write_all(head.as_bytes()).await?;
    let (said, reply) = tokio::join!(say(&mut writer, lines), hear(reader, scenario));
    scenario.require(said.is_ok(), || format!("the API did not read all lines: {said:?}"));
    Ok(reply?)
}

async fn say(writer: &mut OwnedWriteHalf, lines: usize) -> io::Result<()> {
    for first in (0..lines).step_by(CHUNK_LINES) {
        let chunk: String = (first..lines.min(first + CHUNK_LINES)).map(line).collect();
        writer.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await?;
    }
    writer.write_all(b"0\r\n\r\n").await
}

/// The line of this index.
fn line(index: usize) -> String {
    let good = serde_json::json!({"command": "orders.cancel", "data": commands::cancel(Uuid::now_v7())});
    let spoilt = (index % SPOILT_EVERY == SPOILT_EVERY - 1).then_some(index / SPOILT_EVERY % 4);
    match spoilt {
        None => format!("{good}\n"),
        Some(0) => "{\"command\": \"orders.cancel\", \"data\": {\n".to_owned(),
        Some(1) => "{\"command\": \"orders.cancle\", \"data\": {}}\n".to_owned(),
        Some(2) => "{\"command\": \"orders.cancel\", \"data\": {\"order_id\": 7}}\n".to_owned(),
        Some(_) => format!("{{\"command\": \"{}\"}}\n", "x".repeat(300_000)),
    }
}

/// The status that this line must get.
fn status_of(index: usize) -> u64 {
    match (index % SPOILT_EVERY == SPOILT_EVERY - 1, index / SPOILT_EVERY % 4) {
        (false, _) => 202,
        (true, 0) => 400,
        (true, 1) => 404,
        (true, 2) => 422,
        (true, _) => 413,
    }
}

/// Checks every line of the answer; the answers must have the order of the request's lines.
async fn hear(mut reader: Reader, scenario: &mut Scenario) -> io::Result<Reply> {
    let mut reply = Reply::default();
    match reader.head().await? {
        Ok(head) if head.status == 200 => {}
        otherwise => {
            scenario.violation(format!("the batch is answered {otherwise:?}"));
            return Ok(reply);
        }
    }
    let mut unread = Vec::new();
    loop {
        match tokio::time::timeout(LINE_PATIENCE, reader.chunk()).await {
            Err(_) => {
                let (seconds, answers) = (LINE_PATIENCE.as_secs(), reply.answers);
                scenario.violation(format!("nothing arrived for {seconds} s after {answers} answers"));
                return Ok(reply);
            }
            Ok(chunk) => match chunk? {
                None => {
                    scenario.violation(format!("the answer breaks off after {} lines", reply.answers));
                    return Ok(reply);
                }
                Some(chunk) if chunk.is_empty() => return Ok(reply),
                Some(chunk) => unread.extend_from_slice(&chunk),
            },
        }
        let whole = unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in unread[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let seen: Value = serde_json::from_slice(line).unwrap_or_default();
            let right = seen["status"].as_u64() == Some(status_of(reply.answers));
            let late = seen["problem"]["type"] == UNCONFIRMED && status_of(reply.answers) == 202;
            if seen["line"].as_u64() != u64::try_from(reply.answers + 1).ok() || !(right || late) {
                scenario.violation(format!("answer {} is {}", reply.answers + 1, short(line)));
            }
            reply.answers += 1;
            reply.late += usize::from(late);
        }
        unread.drain(..whole);
    }
}
