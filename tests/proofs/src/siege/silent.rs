//! Sockets that send nothing, or hardly anything: other clients must not notice, and the API must close them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use millrace_testkit::figures::{Durations, real};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::commands;
use crate::error::Error;
use crate::report::{Outcome, Scenario};
use crate::siege::http::{Client, Connection, Request};
use crate::siege::target::{BODY_DEADLINE, HEADER_DEADLINE, PATIENCE, Target};

const ROUNDS: usize = 5;
const SILENT: usize = 1_000;
/// Sockets that send a byte now and then: half of them a header, half a body.
const TRICKLING: usize = 200;
const HEALTHY: usize = 4;
/// Shorter than the deadline after which the silent sockets are closed.
const ROUND: Duration = Duration::from_millis(1_500);
const TRICKLE: Duration = Duration::from_millis(200);
const RATIO_MAX: f64 = 2.0;
/// On a busy machine, a thousand tasks do not look at their sockets at the same moment.
const TOLERANCE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Silent,
    Header,
    Body,
}

pub async fn run(target: &Target) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin("silent");
    let api = target.api(0);
    let (mut without, mut with, mut closed) = (Vec::new(), Vec::new(), Vec::new());
    let mut counted = 0;
    for _ in 0..ROUNDS {
        without.push(healthy(api, target.key()).await);
        let mut sockets = JoinSet::new();
        for number in 0..SILENT + TRICKLING {
            let manner = match number {
                ..SILENT => Manner::Silent,
                _ if number % 2 == 0 => Manner::Header,
                _ => Manner::Body,
            };
            let connection = Connection::open(api).await?;
            sockets.spawn(idle(connection, manner, target.key().to_owned()));
        }
        with.push(healthy(api, target.key()).await);
        while let Some(Ok((manner, after))) = sockets.join_next().await {
            counted += 1;
            let deadline = if manner == Manner::Body { BODY_DEADLINE } else { HEADER_DEADLINE };
            match after {
                Some(after) if after <= deadline + TOLERANCE => closed.push(after),
                after => scenario.violation(format!("a socket ({manner:?}) was closed after {after:?}")),
            }
        }
    }
    scenario.require(counted == ROUNDS * (SILENT + TRICKLING), || {
        format!("only {counted} sockets came to an end")
    });
    let rounds = without.len().min(with.len());
    let median = |figures: &[Durations], of: fn(&Durations) -> Duration| {
        Durations::of(figures.iter().map(of)).p50().as_secs_f64() * 1_000.0
    };
    let (p50, p50_with) = (median(&without, Durations::p50), median(&with, Durations::p50));
    let (p99, p99_with) = (median(&without, Durations::p99), median(&with, Durations::p99));
    let ratio = p50_with / p50;
    scenario.require(ratio < RATIO_MAX, || format!("the median is {ratio:.2} times as long as without"));
    let requests = without.iter().chain(&with).map(Durations::count).sum::<usize>();
    scenario.require(requests >= 10 * rounds, || format!("only {requests} healthy requests were answered"));
    Ok(scenario.end(format!(
        "medians of {rounds} rounds: p50 {p50:.1} ms without, {p50_with:.1} ms with {SILENT} silent and {TRICKLING} trickling \
         sockets (ratio {ratio:.2}); p99 {p99:.1} and {p99_with:.1} ms; {:.0} requests/round; sockets closed after {:.1} s at \
         the median, {:.1} s at most",
        real(requests) / (2.0 * real(rounds)),
        Durations::of(closed.iter().copied()).p50().as_secs_f64(),
        Durations::of(closed).max().as_secs_f64(),
    )))
}

/// How long valid posts take, from a few clients at once.
async fn healthy(api: SocketAddr, key: &str) -> Durations {
    let until = Instant::now() + ROUND;
    let mut clients = JoinSet::new();
    for _ in 0..HEALTHY {
        let key = key.to_owned();
        clients.spawn(async move {
            let (mut client, mut took) = (Client::of(api), Vec::new());
            while Instant::now() < until {
                let request = Request::job("orders.cancel", &commands::cancel(Uuid::now_v7()), &key);
                let probe = Instant::now();
                let answer = client.send(&request, PATIENCE).await.answer();
                if answer.is_some_and(|answer| answer.status() == 202) {
                    took.push(probe.elapsed());
                }
            }
            took
        });
    }
    Durations::of(clients.join_all().await.into_iter().flatten())
}

/// How long the API takes to close a socket; `None` if it does not.
async fn idle(mut connection: Connection, manner: Manner, key: String) -> (Manner, Option<Duration>) {
    let opened = Instant::now();
    let patience = BODY_DEADLINE + 2 * TOLERANCE;
    let said = match manner {
        Manner::Silent => String::new(),
        Manner::Header => "GET /healthz HTTP/1.1\r\nX-Slow: ".to_owned(),
        Manner::Body => format!(
            "POST /v1/jobs/orders.cancel HTTP/1.1\r\nHost: millrace\r\nAuthorization: Bearer {key}\r\nContent-Type: \
             application/json\r\nContent-Length: 1000\r\n\r\n"
        ),
    };
    // If the socket cannot be written to, reading finds it closed.
    let _ = connection.write(said.as_bytes()).await;
    while opened.elapsed() < patience {
        if manner != Manner::Silent && connection.write(b" ").await.is_err() {
            return (manner, Some(opened.elapsed()));
        }
        let listen = if manner == Manner::Silent { patience } else { TRICKLE };
        if connection.closed(listen).await {
            return (manner, Some(opened.elapsed()));
        }
    }
    (manner, None)
}
