//! A broker that takes nothing, under load: everybody is told so at once, and the door keeps nothing for later.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use millrace_testkit::figures::{Durations, mib, real};
use millrace_testkit::stack::servers::Alarm;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::siege::commands;
use crate::siege::judge::Judge;
use crate::siege::stage::{Broken, PATIENCE, Stage};
use crate::siege::verdict::{Trial, Verdict};
use crate::siege::wire::{Answer, Client, Request};

const CLIENTS: usize = 40;
/// Each client's; all of them together post some hundreds a second.
const PACE: Duration = Duration::from_millis(100);
/// What the broker has from a connection before it blocks it, it may still take.
const LAST_TAKEN: Duration = Duration::from_secs(1);
pub const ANSWER_WITHIN: Duration = Duration::from_millis(1_200);
const RSS_GROWTH_MAX_KIB: u64 = 16 * 1024;

/// A post, and what came of it.
struct Posted {
    at: Instant,
    took: Duration,
    answer: Option<Answer>,
}

pub async fn run(stage: &mut Stage, length: Duration) -> Result<Verdict, Broken> {
    let mut trial = Trial::begin("blocked");
    let stop = CancellationToken::new();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(post(stage.door(number % 2), stage.key().to_owned(), stop.clone()));
    }
    // What load alone takes is there before.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stage.stack.servers.raise(Alarm::Memory).await?;
    let blocked = Instant::now();
    let before = [stage.rss(0).await, stage.rss(1).await];
    tokio::time::sleep(length).await;
    let after = [stage.rss(0).await, stage.rss(1).await];
    let lifted = Instant::now();
    stage.stack.servers.lift(Alarm::Memory).await?;
    stop.cancel();
    let posts: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
    stage.ready().await?;
    // One whose answer came after the end may have been taken.
    let during: Vec<_> =
        posts.iter().filter(|post| post.at > blocked && post.at + ANSWER_WITHIN < lifted).collect();
    for post in &during {
        judge(post, blocked, &stage.judge, &mut trial);
    }
    let took = Durations::of(during.iter().map(|post| post.took));
    trial.must(took.p99() <= ANSWER_WITHIN, || format!("99 of 100 are answered within {:?}", took.p99()));
    for (before, after) in before.into_iter().zip(after) {
        let growth = after.saturating_sub(before);
        trial.must(growth <= RSS_GROWTH_MAX_KIB, || format!("a door grew by {:.1} MiB", mib(growth)));
    }
    Ok(trial.end(format!(
        "{:.0} posts/s for {} s, answered within {took}; the doors' memory {:.1} and {:.1} MiB before, {:.1} and {:.1} MiB after",
        real(during.len()) / length.as_secs_f64(),
        length.as_secs(),
        mib(before[0]),
        mib(before[1]),
        mib(after[0]),
        mib(after[1]),
    )))
}

fn judge(post: &Posted, blocked: Instant, judge: &Judge, trial: &mut Trial) {
    let Some(answer) = &post.answer else {
        return trial.find(format!("a post has no answer after {:?}", post.took));
    };
    let early = post.at < blocked + LAST_TAKEN;
    if answer.status() != 503 && !(answer.status() == 202 && early) {
        trial.find(format!(
            "answered {} {:?} after the alarm: {:?}",
            answer.status(),
            post.at - blocked,
            answer.problem()
        ));
    }
    judge.findings(answer).into_iter().for_each(|finding| trial.find(finding));
}

async fn post(door: SocketAddr, key: String, stop: CancellationToken) -> Vec<Posted> {
    let (mut client, mut posts) = (Client::of(door), Vec::new());
    let mut pace = tokio::time::interval(PACE);
    while stop.run_until_cancelled(pace.tick()).await.is_some() {
        let request = Request::job("orders.cancel", &commands::cancel(Uuid::now_v7()), &key);
        let at = Instant::now();
        let answer = client.ask(&request, PATIENCE).await.answer();
        posts.push(Posted { at, took: at.elapsed(), answer });
    }
    posts
}
