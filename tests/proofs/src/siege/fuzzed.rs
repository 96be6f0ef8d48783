//! Hostile requests by the thousand: each is answered or cut off, nothing of the inside is told, and the doors live on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use millrace_testkit::figures::{mib, real};
use millrace_testkit::random::Random;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::siege::draw::{Draw, Drawn, Manner};
use crate::siege::judge::{Judge, is_bare, short};
use crate::siege::stage::{Broken, Stage};
use crate::siege::verdict::{Trial, Verdict};
use crate::siege::wire::{Answer, Heard, Wire};

/// Some wait for seconds, while the others go on.
const CLIENTS: usize = 48;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Each client remembers so many jobs to ask for.
const JOBS_MAX: usize = 200;
/// A machine that does other things may make the broker miss its deadline, which is then told: so many of a thousand.
const BUSY_PER_MILLE: usize = 5;
/// The memory of two hashers takes 38 MiB, and the uses of keys up to 10.
const RSS_GROWTH_MAX_KIB: u64 = 64 * 1024;

/// What became of a client's requests.
#[derive(Debug, Default)]
struct Tally {
    /// By status.
    answers: BTreeMap<u16, usize>,
    /// Answers 503, by what they tell of.
    busy: BTreeMap<String, usize>,
    bare: usize,
    /// Connections that the door closed without an answer to a whole request.
    closed: usize,
    /// Those whose clients did not wait.
    left: usize,
    findings: Vec<String>,
}

pub async fn run(stage: &Stage, requests: usize, seed: u64) -> Result<Verdict, Broken> {
    let mut trial = Trial::begin("fuzzed");
    let (pids, panics) = (stage.door_pids().await, stage.panics());
    let (before, started) = (stage.rss(0).await, Instant::now());
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let count = requests / CLIENTS + usize::from(client < requests % CLIENTS);
        let besieger = Besieger {
            number: client,
            door: stage.door(client % 2),
            key: stage.key().to_owned(),
            judge: stage.judge.clone(),
        };
        clients.spawn(async move { besieger.besiege(count, seed).await });
    }
    let tallies = clients.join_all().await;
    let took = started.elapsed();
    let mut whole = Tally::default();
    tallies.into_iter().for_each(|tally| whole.add(tally));
    whole.findings.iter().for_each(|finding| trial.find(finding));
    trial.must(stage.door_pids().await == pids, || "a door was started anew".to_owned());
    for door in stage.doors() {
        trial.must(door.program.lock().await.ended().is_none(), || format!("{} has ended", door.name));
    }
    stage.ready().await?;
    trial.must(stage.panics() == panics, || "a door's log tells of a panic".to_owned());
    let (after, busy) = (stage.rss(0).await, whole.answers.get(&503).copied().unwrap_or(0));
    trial.must(busy * 1_000 <= requests * BUSY_PER_MILLE, || format!("{busy} answers 503: {:?}", whole.busy));
    let growth = after.saturating_sub(before);
    trial.must(growth <= RSS_GROWTH_MAX_KIB, || format!("a door grew by {:.1} MiB", mib(growth)));
    let statuses =
        whole.answers.iter().map(|(status, count)| format!(" {status}:{count}")).collect::<String>();
    Ok(trial.end(format!(
        "{requests} of seed {seed}:{statuses} {:?}; {} bare answers to what is no HTTP, {} closed without an answer, {} clients \
         left; a door's memory {:.1} MiB before, {:.1} MiB after; {:.0}/s",
        whole.busy,
        whole.bare,
        whole.closed,
        whole.left,
        mib(before),
        mib(after),
        real(requests) / took.as_secs_f64(),
    )))
}

/// One of several clients side by side.
struct Besieger {
    number: usize,
    door: SocketAddr,
    key: String,
    judge: Judge,
}

impl Besieger {
    async fn besiege(&self, count: usize, seed: u64) -> Tally {
        let client = u64::try_from(self.number).unwrap_or(0);
        let random = Random::seeded(seed.wrapping_mul(1_000_003).wrapping_add(client));
        let mut draw = Draw { random, key: &self.key, jobs: Vec::new() };
        let (mut tally, mut wire) = (Tally::default(), None);
        for number in 0..count {
            let drawn = draw.next();
            let findings = tally.findings.len();
            wire = self.attack(wire, &drawn, &mut tally, &mut draw.jobs).await;
            for finding in &mut tally.findings[findings..] {
                finding.push_str(&format!(
                    " (client {}, request {number}, {:?}: {})",
                    self.number,
                    drawn.manner,
                    short(&drawn.bytes)
                ));
            }
        }
        tally
    }

    /// Says it, and gives back the connection if it can go on.
    async fn attack(
        &self,
        wire: Option<Wire>,
        drawn: &Drawn,
        tally: &mut Tally,
        jobs: &mut Vec<Uuid>,
    ) -> Option<Wire> {
        let mut kept = wire.is_some();
        let mut wire = match wire {
            Some(wire) => wire,
            None => match Wire::open(self.door).await {
                Ok(wire) => wire,
                Err(error) => {
                    tally.findings.push(format!("the door takes no connection: {error}"));
                    return None;
                }
            },
        };
        // A door that has answered already need not read the rest.
        let _ = tokio::time::timeout(ANSWER_WITHIN, wire.say(&drawn.bytes)).await;
        if drawn.manner == Manner::Leaves {
            tally.left += 1;
            return None;
        }
        for to_head in &drawn.to_head {
            match wire.hear(*to_head, ANSWER_WITHIN).await {
                Heard::Answer(answer) => {
                    let closes = answer.head.closes();
                    self.note(&answer, tally, jobs);
                    if closes {
                        return None;
                    }
                }
                Heard::Closed => {
                    // A connection that was kept may have been closed for having been idle, or after a body too many.
                    tally.closed += usize::from(!kept && drawn.manner == Manner::Stays);
                    return None;
                }
                Heard::Silence => {
                    tally.findings.push(format!("no answer within {} s", ANSWER_WITHIN.as_secs()));
                    return None;
                }
                Heard::Nonsense(text) => {
                    tally.findings.push(format!("no HTTP: {text}"));
                    return None;
                }
            }
            kept = true;
        }
        (drawn.manner == Manner::Stays).then_some(wire)
    }

    fn note(&self, answer: &Answer, tally: &mut Tally, jobs: &mut Vec<Uuid>) {
        if is_bare(answer) {
            tally.bare += 1;
            return;
        }
        *tally.answers.entry(answer.status()).or_default() += 1;
        if answer.status() >= 500 && answer.status() != 503 {
            tally.findings.push(format!("answered {}: {}", answer.status(), short(&answer.body)));
        }
        if answer.status() == 503 {
            *tally.busy.entry(answer.problem().unwrap_or_default()).or_default() += 1;
        }
        tally.findings.extend(self.judge.findings(answer));
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
        self.findings.extend(other.findings);
    }
}
