//! The door's case: it dies while jobs are being posted, and who posted them posts them once more.

use std::collections::BTreeSet;

use lapin::message::Delivery;
use millrace_contracts::{UserId, topology::dead_queue};
use millrace_testkit::journal;
use millrace_testkit::services::ports;
use serde_json::Value;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::crash_points::arena::{Arena, STOPS_MAX, until};
use crate::crash_points::cases::{Case, Deaths, MESSAGES};
use crate::crash_points::load::order_of;
use crate::crash_points::program::{Armed, Yard};
use crate::crash_points::tally::Tally;

const PROGRAM: &str = "producer-api";
const API_KEY: &str = "a-key-for-crash-points-only";
const JOB_ID_SECRET: &str = "a secret for crash points only, long enough to be one";

/// What a client knows after a post.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// 202: the job is taken.
    Taken(Uuid),
    /// The door says that nothing was queued.
    Refused,
    /// No answer, or one that leaves it open: which.
    Unknown(String),
}

struct Play<'a> {
    arena: &'a Arena,
    yard: &'a Yard,
    name: String,
    customer: UserId,
    orders: Vec<Uuid>,
    /// Of each order, every answer there was.
    answers: Vec<Vec<Answer>>,
}

/// Plays a case and looks at what is left; the errors are everything that is not as it should be.
pub async fn play(arena: &Arena, yard: &Yard, case: &Case) -> Result<Tally, Vec<String>> {
    let customer = UserId(Uuid::now_v7());
    arena.know_customer(customer, "active").await;
    let orders = (0..MESSAGES).map(|_| Uuid::now_v7()).collect();
    let answers = vec![Vec::new(); MESSAGES];
    let mut play = Play { arena, yard, name: case.to_string(), customer, orders, answers };
    play.play_on(case).await
}

impl Play<'_> {
    async fn play_on(&mut self, case: &Case) -> Result<Tally, Vec<String>> {
        let one = |finding| vec![finding];
        let death = format!("{}:{}", case.point.name, case.position.of(MESSAGES));
        let deaths = if case.deaths == Deaths::Twice { 2 } else { 1 };
        for _ in 0..deaths {
            let (door, url) = self.open(Some(&death)).await.map_err(one)?;
            let answers = self.post_all(&url).await;
            door.death(&death).await.map_err(one)?;
            if !answers.iter().any(Answer::is_unknown) {
                return Err(one(format!("the door died at {death}, and yet every client has its answer")));
            }
        }
        self.work_off().await.map_err(one)?;
        let mut findings = self.examine(false).await;
        let (door, url) = self.open(None).await.map_err(one)?;
        for (answer, order) in self.post_all(&url).await.iter().zip(&self.orders) {
            if !matches!(answer, Answer::Taken(_)) {
                findings.push(format!("order {order} is posted to a door in good health: {answer:?}"));
            }
        }
        door.stop().await.map_err(one)?;
        self.work_off().await.map_err(one)?;
        findings.extend(self.examine(true).await);
        let (follow_ups, copies) = self.examine_queues().await;
        findings.extend(follow_ups);
        if !findings.is_empty() {
            return Err(findings);
        }
        Ok(Tally { deaths, copies, ..Tally::default() })
    }

    /// A door that is ready, and where it listens.
    async fn open(&self, death: Option<&str>) -> Result<(Armed, String), String> {
        let [port] = ports::free().map_err(|error| format!("no free port: {error}"))?;
        let environment = [
            ("AMQP_URL", self.arena.world.amqp_url.clone()),
            ("DATABASE_URL", self.arena.world.database_url.clone()),
            ("API_LISTEN", format!("127.0.0.1:{port}")),
            ("DEV_API_KEY", API_KEY.to_owned()),
            ("JOB_ID_SECRET", JOB_ID_SECRET.to_owned()),
            // A busy machine is not what is tried out here.
            ("PUBLISH_DEADLINE_MS", "30000".to_owned()),
        ];
        let door = self.yard.start(PROGRAM, &self.name, &environment, death)?;
        let url = format!("http://127.0.0.1:{port}");
        let ready = async || {
            let answer = self.arena.http.get(format!("{url}/readyz")).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        };
        until("the door to be ready", ready).await?;
        Ok((door, url))
    }

    /// All at once, each over a connection of its own.
    async fn post_all(&mut self, url: &str) -> Vec<Answer> {
        let mut posts = JoinSet::new();
        for (number, order) in self.orders.iter().enumerate() {
            let body = order_of(self.customer, *order);
            let url = format!("{url}/v1/jobs/orders.place");
            let http = self.arena.http.clone();
            posts.spawn(async move { (number, post(&http, &url, &body).await) });
        }
        let mut answers = posts.join_all().await;
        answers.sort_unstable_by_key(|(number, _)| *number);
        for (number, answer) in &answers {
            self.answers[*number].push(answer.clone());
        }
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// What a worker makes of the jobs.
    async fn work_off(&self) -> Result<(), String> {
        let environment = [
            ("AMQP_URL", self.arena.world.amqp_url.clone()),
            ("DATABASE_URL", self.arena.world.database_url.clone()),
            ("PROBES_LISTEN", "127.0.0.1:0".to_owned()),
        ];
        // What is delivered to a worker while it stops it may give back: then another one goes on.
        for _ in 0..STOPS_MAX {
            let worker = self.yard.start("orders-worker", &self.name, &environment, None)?;
            until("the jobs to be worked", async || {
                let (ready, subscriptions) = self.arena.queue("orders").await;
                ready == 0 && subscriptions > 0
            })
            .await?;
            worker.stop().await?;
            if self.arena.left_behind("orders").await? == 0 {
                return Ok(());
            }
        }
        Err(format!("{STOPS_MAX} workers have stopped, and each has given messages back"))
    }

    /// Each job that was taken has its end, and each order is there once, or not at all where nobody knows.
    async fn examine(&self, all_are_taken: bool) -> Vec<String> {
        let database = &self.arena.world.database;
        let effects = journal::effects(database).await.expect("the journal is installed");
        let notes = journal::notes(database).await.expect("the journal is installed");
        let mut findings = Vec::new();
        for (order, answers) in self.orders.iter().zip(&self.answers) {
            let key = order.to_string();
            let times = effects.iter().filter(|effect| effect.key == key).count();
            let taken: Vec<_> = answers
                .iter()
                .filter_map(|answer| match answer {
                    Answer::Taken(job) => Some(*job),
                    Answer::Refused | Answer::Unknown(_) => None,
                })
                .collect();
            let expected = match answers.iter().any(Answer::is_unknown) {
                _ if !taken.is_empty() || all_are_taken => 1..=1,
                true => 0..=1,
                false => 0..=0,
            };
            if !expected.contains(&times) {
                findings.push(format!("order {order} was written {times} times after {answers:?}"));
            }
            for job in taken {
                let ends: Vec<_> = notes.iter().filter(|note| note.message_id == job).collect();
                if !matches!(ends[..], [end] if ["succeeded", "refused"].contains(&end.status.as_str())) {
                    findings
                        .push(format!("job {job} was answered 202 and came to its end {} times", ends.len()));
                }
            }
        }
        findings
    }

    /// One follow-up for each order, nothing dead, nothing left.
    async fn examine_queues(&self) -> (Vec<String>, usize) {
        let mut findings = Vec::new();
        let order_of = |letter: &Delivery| {
            let body: Value = serde_json::from_slice(&letter.data).unwrap_or_default();
            body["order_id"].as_str().and_then(|order| order.parse::<Uuid>().ok())
        };
        let letters = self.arena.take_all("payments").await;
        let placed: BTreeSet<_> = letters.iter().filter_map(order_of).collect();
        let ids: BTreeSet<_> = letters
            .iter()
            .filter_map(|letter| letter.properties.message_id().as_ref().map(|id| id.as_str().to_owned()))
            .collect();
        if placed != self.orders.iter().copied().collect() || ids.len() != MESSAGES {
            findings.push(format!("{} orders were told of with {} ids", placed.len(), ids.len()));
        }
        let dead = self.arena.take_all(&dead_queue(millrace_contracts::orders::DOMAIN)).await.len();
        if dead > 0 {
            findings.push(format!("{dead} jobs are dead and innocent"));
        }
        for queue in &self.arena.world.topology.queues {
            let left = self.arena.queue(queue).await.0;
            if left > 0 {
                findings.push(format!("{left} messages are left in {queue}"));
            }
        }
        (findings, letters.len() - ids.len())
    }
}

impl Answer {
    fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

async fn post(http: &reqwest::Client, url: &str, body: &Value) -> Answer {
    let answer = match http.post(url).bearer_auth(API_KEY).json(body).send().await {
        Ok(answer) => answer,
        Err(error) => return Answer::Unknown(format!("{error:?}")),
    };
    let status = answer.status().as_u16();
    let body: Value = match answer.json().await {
        Ok(body) => body,
        Err(error) => return Answer::Unknown(format!("{error:?}")),
    };
    let job = body["job_id"].as_str().and_then(|job| job.parse().ok());
    match (status, job, body["type"].as_str()) {
        (202, Some(job), _) => Answer::Taken(job),
        (503, _, Some("urn:millrace:problem:unconfirmed")) => Answer::Unknown("not confirmed".to_owned()),
        (400..=499 | 503, _, Some(_)) => Answer::Refused,
        _ => Answer::Unknown(format!("{status}: {body}")),
    }
}
