//! A batch of very many lines, some of them spoilt: an answer for each, in order, and no more memory than for a few.

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

use crate::siege::amqp::Amqp;
use crate::siege::commands;
use crate::siege::judge::short;
use crate::siege::stage::{Broken, Stage};
use crate::siege::verdict::{Trial, Verdict};
use crate::siege::wire::{Hearing, Wire};

const SPOILT_EVERY: usize = 1_000;
const CHUNK_LINES: usize = 64;
const WARMING_UP: usize = 5_000;
const RSS_GROWTH_MAX_KIB: u64 = 32 * 1024;
const SAMPLE: Duration = Duration::from_millis(50);
/// So long nothing may come.
const LINE_PATIENCE: Duration = Duration::from_secs(30);

/// What a job is told of that the broker was too slow for, as it may be on a machine that does other things.
const UNCONFIRMED: &str = "urn:millrace:problem:unconfirmed";

/// What came of a batch.
#[derive(Debug, Default)]
struct Heard {
    answers: usize,
    late: usize,
}

pub async fn run(stage: &Stage, lines: usize) -> Result<Verdict, Broken> {
    let mut trial = Trial::begin("batch");
    // The queue just fills, so that nothing else is measured.
    stage.stop_workers().await?;
    // A few lines first: what is there once and for all is no growth.
    send(stage, WARMING_UP, &mut trial).await?;
    let before = stage.rss(0).await;
    let (peak, done) = (Arc::new(AtomicU64::new(before)), CancellationToken::new());
    let sampling = tokio::spawn(sample(stage.door_pids().await[0], Arc::clone(&peak), done.clone()));
    let started = Instant::now();
    let Heard { answers, late } = send(stage, lines, &mut trial).await?;
    let took = started.elapsed();
    done.cancel();
    trial.must(sampling.await.is_ok(), || "memory was not looked at".to_owned());
    trial.must(late * 1_000 <= lines, || format!("{late} jobs were not confirmed in time"));
    trial.must(answers == lines, || format!("{answers} answers to {lines} lines"));
    let peak = peak.load(Ordering::Relaxed);
    let growth = peak.saturating_sub(before);
    trial.must(growth <= RSS_GROWTH_MAX_KIB, || format!("the door grew by {:.1} MiB", mib(growth)));
    let amqp = Amqp::open(&stage.stack.servers).await?;
    let purged = amqp.purge("orders").await?;
    amqp.close().await?;
    stage.start_workers().await?;
    Ok(trial.end(format!(
        "{answers} of {lines} lines answered in order in {:.1} s ({:.0} lines/s), {late} of them that the broker had \
         not confirmed in time; the door's memory {:.1} MiB before, {:.1} \
         MiB at most; {purged} jobs lay in the queue",
        took.as_secs_f64(),
        real(answers) / took.as_secs_f64(),
        mib(before),
        mib(peak),
    )))
}

/// Notes the most memory until it is told to stop.
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

/// Sends a batch and looks at each line of its answer.
async fn send(stage: &Stage, lines: usize, trial: &mut Trial) -> Result<Heard, Broken> {
    let Wire { hears, mut says } = Wire::open(stage.door(0)).await?;
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: millrace\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        stage.key()
    );
    says.write_all(head.as_bytes()).await?;
    let (said, heard) = tokio::join!(say(&mut says, lines), hear(hears, trial));
    trial.must(said.is_ok(), || format!("the door took not all lines: {said:?}"));
    Ok(heard?)
}

async fn say(says: &mut OwnedWriteHalf, lines: usize) -> io::Result<()> {
    for first in (0..lines).step_by(CHUNK_LINES) {
        let chunk: String = (first..lines.min(first + CHUNK_LINES)).map(line).collect();
        says.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await?;
    }
    says.write_all(b"0\r\n\r\n").await
}

/// What is sent as this line.
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

/// How it must be answered.
fn status_of(index: usize) -> u64 {
    match (index % SPOILT_EVERY == SPOILT_EVERY - 1, index / SPOILT_EVERY % 4) {
        (false, _) => 202,
        (true, 0) => 400,
        (true, 1) => 404,
        (true, 2) => 422,
        (true, _) => 413,
    }
}

/// Looks at every line of the answer; each must be about the line that is next.
async fn hear(mut hears: Hearing, trial: &mut Trial) -> io::Result<Heard> {
    let mut heard = Heard::default();
    match hears.head().await? {
        Ok(head) if head.status == 200 => {}
        otherwise => {
            trial.find(format!("the batch is answered {otherwise:?}"));
            return Ok(heard);
        }
    }
    let mut unread = Vec::new();
    loop {
        match tokio::time::timeout(LINE_PATIENCE, hears.chunk()).await {
            Err(_) => {
                let (seconds, answers) = (LINE_PATIENCE.as_secs(), heard.answers);
                trial.find(format!("nothing came for {seconds} s after {answers} answers"));
                return Ok(heard);
            }
            Ok(chunk) => match chunk? {
                None => {
                    trial.find(format!("the answer breaks off after {} lines", heard.answers));
                    return Ok(heard);
                }
                Some(chunk) if chunk.is_empty() => return Ok(heard),
                Some(chunk) => unread.extend_from_slice(&chunk),
            },
        }
        let whole = unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in unread[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let told: Value = serde_json::from_slice(line).unwrap_or_default();
            let right = told["status"].as_u64() == Some(status_of(heard.answers));
            let late = told["problem"]["type"] == UNCONFIRMED && status_of(heard.answers) == 202;
            if told["line"].as_u64() != u64::try_from(heard.answers + 1).ok() || !(right || late) {
                trial.find(format!("answer {} is {}", heard.answers + 1, short(line)));
            }
            heard.answers += 1;
            heard.late += usize::from(late);
        }
        unread.drain(..whole);
    }
}
