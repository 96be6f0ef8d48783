//! A broker that accepts nothing, under load: every client is told at once, and the API buffers nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use millrace_testkit::figures::{Durations, mib, real};
use millrace_testkit::stack::servers::Alarm;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::commands;
use crate::error::Error;
use crate::report::{Outcome, Scenario};
use crate::siege::answer_rules::AnswerRules;
use crate::siege::http::{Answer, Client, Request};
use crate::siege::target::{PATIENCE, Target};

const CLIENTS: usize = 40;
/// Between two posts of one client; all of them together post some hundreds a second.
const PACE: Duration = Duration::from_millis(100);
/// For this long after an alarm the broker may still accept what it had received before.
const LAST_TAKEN: Duration = Duration::from_secs(1);
pub const ANSWER_WITHIN: Duration = Duration::from_millis(1_200);
const RSS_GROWTH_MAX_KIB: u64 = 16 * 1024;

/// A post and its answer.
struct Posted {
    at: Instant,
    took: Duration,
    answer: Option<Answer>,
}

pub async fn run(target: &mut Target, length: Duration) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin("blocked");
    let stop = CancellationToken::new();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(post(target.api(number % 2), target.key().to_owned(), stop.clone()));
    }
    // Memory that load alone takes is allocated before.
    tokio::time::sleep(Duration::from_secs(3)).await;
    target.stack.servers.raise(Alarm::Memory).await?;
    let blocked = Instant::now();
    let before = [target.rss(0).await, target.rss(1).await];
    tokio::time::sleep(length).await;
    let after = [target.rss(0).await, target.rss(1).await];
    let lifted = Instant::now();
    target.stack.servers.lift(Alarm::Memory).await?;
    stop.cancel();
    let posts: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
    target.stack.until_ready().await?;
    // One that was answered after the end may have been accepted.
    let during: Vec<_> =
        posts.iter().filter(|post| post.at > blocked && post.at + ANSWER_WITHIN < lifted).collect();
    for post in &during {
        rules(post, blocked, &target.rules, &mut scenario);
    }
    let took = Durations::of(during.iter().map(|post| post.took));
    scenario
        .require(took.p99() <= ANSWER_WITHIN, || format!("99 of 100 are answered within {:?}", took.p99()));
    for (before, after) in before.into_iter().zip(after) {
        let growth = after.saturating_sub(before);
        scenario.require(growth <= RSS_GROWTH_MAX_KIB, || {
            format!("an API process grew by {:.1} MiB", mib(growth))
        });
    }
    Ok(scenario.end(format!(
        "{:.0} posts/s for {} s, answered within {took}; the APIs' memory {:.1} and {:.1} MiB before, {:.1} and {:.1} MiB after",
        real(during.len()) / length.as_secs_f64(),
        length.as_secs(),
        mib(before[0]),
        mib(before[1]),
        mib(after[0]),
        mib(after[1]),
    )))
}

fn rules(post: &Posted, blocked: Instant, rules: &AnswerRules, scenario: &mut Scenario) {
    let Some(answer) = &post.answer else {
        return scenario.violation(format!("a post has no answer after {:?}", post.took));
    };
    let early = post.at < blocked + LAST_TAKEN;
    if answer.status() != 503 && !(answer.status() == 202 && early) {
        scenario.violation(format!(
            "answered {} {:?} after the alarm: {:?}",
            answer.status(),
            post.at - blocked,
            answer.problem()
        ));
    }
    rules.violations(answer).into_iter().for_each(|violation| scenario.violation(violation));
}

async fn post(api: SocketAddr, key: String, stop: CancellationToken) -> Vec<Posted> {
    let (mut client, mut posts) = (Client::of(api), Vec::new());
    let mut pace = tokio::time::interval(PACE);
    while stop.run_until_cancelled(pace.tick()).await.is_some() {
        let request = Request::job("orders.cancel", &commands::cancel(Uuid::now_v7()), &key);
        let at = Instant::now();
        let answer = client.send(&request, PATIENCE).await.answer();
        posts.push(Posted { at, took: at.elapsed(), answer });
    }
    posts
}
