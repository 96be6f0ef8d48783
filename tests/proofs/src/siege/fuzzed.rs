//! Malformed requests by the thousand: each is answered or cut off, no answer leaks anything internal, and the API stays up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use millrace_testkit::figures::{mib, real};
use millrace_testkit::random::Random;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::error::Error;
use crate::report::{Outcome, Scenario};
use crate::siege::answer_rules::{AnswerRules, is_bare, short};
use crate::siege::http::{Answer, Connection, Reply};
use crate::siege::requests::{Manner, RawRequest, RequestSource};
use crate::siege::target::Target;

/// Many, because some wait for seconds.
const CLIENTS: usize = 48;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How many job ids each client remembers and asks for.
const JOBS_MAX: usize = 200;
/// Answers 503 that are tolerated, per thousand: on a busy machine the broker may miss its deadline.
const BUSY_PER_MILLE: usize = 5;
/// Two password hashers take 38 MiB, the key usage log up to 10.
const RSS_GROWTH_MAX_KIB: u64 = 64 * 1024;

/// What became of a client's requests.
#[derive(Debug, Default)]
struct Tally {
    /// By status.
    answers: BTreeMap<u16, usize>,
    /// Answers 503, by kind of problem.
    busy: BTreeMap<String, usize>,
    bare: usize,
    /// Connections that were closed without an answer to a complete request.
    closed: usize,
    /// Requests whose clients did not wait.
    left: usize,
    violations: Vec<String>,
}

pub async fn run(target: &Target, requests: usize, seed: u64) -> Result<Outcome, Error> {
    let mut scenario = Scenario::begin("fuzzed");
    let (pids, panics) = (target.api_pids().await, target.panics());
    let (before, started) = (target.rss(0).await, Instant::now());
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let count = requests / CLIENTS + usize::from(client < requests % CLIENTS);
        let attacker = Attacker {
            number: client,
            api: target.api(client % 2),
            key: target.key().to_owned(),
            rules: target.rules.clone(),
        };
        clients.spawn(async move { attacker.attack_all(count, seed).await });
    }
    let tallies = clients.join_all().await;
    let took = started.elapsed();
    let mut whole = Tally::default();
    tallies.into_iter().for_each(|tally| whole.add(tally));
    whole.violations.iter().for_each(|violation| scenario.violation(violation));
    scenario.require(target.api_pids().await == pids, || "an API process was restarted".to_owned());
    for api in target.stack.units.apis() {
        scenario.require(api.program.lock().await.ended().is_none(), || format!("{} has ended", api.name));
    }
    target.stack.until_ready().await?;
    scenario.require(target.panics() == panics, || "the API's log tells of a panic".to_owned());
    let (after, busy) = (target.rss(0).await, whole.answers.get(&503).copied().unwrap_or(0));
    scenario.require(busy * 1_000 <= requests * BUSY_PER_MILLE, || {
        format!("{busy} answers 503: {:?}", whole.busy)
    });
    let growth = after.saturating_sub(before);
    scenario
        .require(growth <= RSS_GROWTH_MAX_KIB, || format!("an API process grew by {:.1} MiB", mib(growth)));
    let statuses =
        whole.answers.iter().map(|(status, count)| format!(" {status}:{count}")).collect::<String>();
    Ok(scenario.end(format!(
        "{requests} of seed {seed}:{statuses} {:?}; {} bare answers to what is no HTTP, {} closed without an answer, {} clients \
         left; the API's memory {:.1} MiB before, {:.1} MiB after; {:.0}/s",
        whole.busy,
        whole.bare,
        whole.closed,
        whole.left,
        mib(before),
        mib(after),
        real(requests) / took.as_secs_f64(),
    )))
}

/// One of several concurrent clients.
struct Attacker {
    number: usize,
    api: SocketAddr,
    key: String,
    rules: AnswerRules,
}

impl Attacker {
    async fn attack_all(&self, count: usize, seed: u64) -> Tally {
        let client = u64::try_from(self.number).unwrap_or(0);
        let random = Random::seeded(seed.wrapping_mul(1_000_003).wrapping_add(client));
        let mut draw = RequestSource { random, key: &self.key, jobs: Vec::new() };
        let (mut tally, mut connection) = (Tally::default(), None);
        for number in 0..count {
            let drawn = draw.next();
            let violations = tally.violations.len();
            connection = self.attack(connection, &drawn, &mut tally, &mut draw.jobs).await;
            for violation in &mut tally.violations[violations..] {
                violation.push_str(&format!(
                    " (client {}, request {number}, {:?}: {})",
                    self.number,
                    drawn.manner,
                    short(&drawn.bytes)
                ));
            }
        }
        tally
    }

    /// Sends the bytes and checks the answers; returns the connection if it can be used again.
    async fn attack(
        &self,
        connection: Option<Connection>,
        drawn: &RawRequest,
        tally: &mut Tally,
        jobs: &mut Vec<Uuid>,
    ) -> Option<Connection> {
        let mut kept = connection.is_some();
        let mut connection = match connection {
            Some(connection) => connection,
            None => match Connection::open(self.api).await {
                Ok(connection) => connection,
                Err(error) => {
                    tally.violations.push(format!("the API takes no connection: {error}"));
                    return None;
                }
            },
        };
        // A server that has answered already need not read the rest.
        let _ = tokio::time::timeout(ANSWER_WITHIN, connection.write(&drawn.bytes)).await;
        if drawn.manner == Manner::Leaves {
            tally.left += 1;
            return None;
        }
        for to_head in &drawn.to_head {
            match connection.read(*to_head, ANSWER_WITHIN).await {
                Reply::Answer(answer) => {
                    let closes = answer.head.closes();
                    self.note(&answer, tally, jobs);
                    if closes {
                        return None;
                    }
                }
                Reply::Closed => {
                    // A connection that was kept may have been closed for having been idle, or after a body too many.
                    tally.closed += usize::from(!kept && drawn.manner == Manner::KeepsOpen);
                    return None;
                }
                Reply::Timeout => {
                    tally.violations.push(format!("no answer within {} s", ANSWER_WITHIN.as_secs()));
                    return None;
                }
                Reply::NotHttp(text) => {
                    tally.violations.push(format!("no HTTP: {text}"));
                    return None;
                }
            }
            kept = true;
        }
        (drawn.manner == Manner::KeepsOpen).then_some(connection)
    }

    fn note(&self, answer: &Answer, tally: &mut Tally, jobs: &mut Vec<Uuid>) {
        if is_bare(answer) {
            tally.bare += 1;
            return;
        }
        *tally.answers.entry(answer.status()).or_default() += 1;
        if answer.status() >= 500 && answer.status() != 503 {
            tally.violations.push(format!("answered {}: {}", answer.status(), short(&answer.body)));
        }
        if answer.status() == 503 {
            *tally.busy.entry(answer.problem().unwrap_or_default()).or_default() += 1;
        }
        tally.violations.extend(self.rules.violations(answer));
        let job = answer.text("/job_id").and_then(|job| job.parse().ok());
        if jobs.len() < JOBS_MAX {
            jobs.extend::<Option<Uuid>>(job);
        }
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        for (status, count) in other.answers {
            *self.answers.entry(status).or_default() += count;
        }
        for (problem, count) in other.busy {
            *self.busy.entry(problem).or_default() += count;
        }
        self.bare += other.bare;
        self.closed += other.closed;
        self.left += other.left;
        self.violations.extend(other.violations);
    }
}
