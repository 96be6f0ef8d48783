//! The API's case: it dies while jobs are being posted, and who posted them posts them once more.

use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_contracts::{UserId, orders, payments};
use millrace_testkit::services::ports;
use serde_json::Value;
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

use crate::crash_points::cases::{Case, Deaths, MESSAGES};
use crate::crash_points::judge;
use crate::crash_points::load::order_of;
use crate::crash_points::program::{Armed, Programs, work_off};
use crate::crash_points::stack::{PATIENCE, Stack, until};
use crate::crash_points::tally::Tally;
use crate::evidence::{Evidence, Letter};
use crate::history::{Answer, Submit};
use crate::load::Poster;

pub const PROGRAM: &str = "producer-api";
const COMMAND: &str = "orders.place";
const CLIENT: &str = "dev";
const API_KEY: &str = "a-key-for-crash-points-only";
const JOB_ID_SECRET: &str = "a secret for crash points only, long enough to be one";

struct Run<'a> {
    stack: &'a Stack,
    programs: &'a Programs,
    name: String,
    /// The bodies that are posted, one order each.
    orders: Vec<Value>,
    /// Every post and its answer.
    submits: Vec<Submit>,
    /// What payments' queue has held so far.
    waiting: Vec<Letter>,
}

/// Runs a case and looks at what is left; the errors are everything that is not as it should be.
pub async fn run(stack: &Stack, programs: &Programs, case: &Case) -> Result<Tally, Vec<String>> {
    let customer = UserId(Uuid::now_v7());
    stack.know_customer(customer, "active").await;
    stack.note_prepared().await;
    let orders = (0..MESSAGES).map(|_| order_of(customer, Uuid::now_v7())).collect();
    let (submits, waiting) = (Vec::new(), Vec::new());
    Run { stack, programs, name: case.to_string(), orders, submits, waiting }.perform(case).await
}

impl Run<'_> {
    async fn perform(&mut self, case: &Case) -> Result<Tally, Vec<String>> {
        let one = |finding| vec![finding];
        let death = format!("{}:{}", case.point.name, case.position.of(MESSAGES));
        let deaths = if case.deaths == Deaths::Twice { 2 } else { 1 };
        for _ in 0..deaths {
            let (api, url) = self.open(Some(&death)).await.map_err(one)?;
            let answers = self.post_all(&url).await.map_err(one)?;
            api.death(&death).await.map_err(one)?;
            if !answers.iter().any(|answer| matches!(answer, Answer::Unknown(..))) {
                return Err(one(format!("the API died at {death}, and yet every client has its answer")));
            }
        }
        self.work_off().await.map_err(one)?;
        let mut findings: Vec<_> = judge::violations(&self.evidence().await).collect();
        let (api, url) = self.open(None).await.map_err(one)?;
        for (answer, order) in self.post_all(&url).await.map_err(one)?.iter().zip(&self.orders) {
            if !matches!(answer, Answer::Accepted(_)) {
                findings
                    .push(format!("{} is posted to an API in good health: {answer:?}", order["order_id"]));
            }
        }
        api.stop().await.map_err(one)?;
        self.work_off().await.map_err(one)?;
        let evidence = self.evidence().await;
        findings.extend(judge::violations(&evidence));
        // In the end every order was accepted at least once, so each is there, and payments was told of it.
        let told: BTreeSet<_> = evidence.waiting.iter().map(|letter| &letter.message_id).collect();
        if (evidence.orders.len(), told.len()) != (MESSAGES, MESSAGES) {
            let (placed, told) = (evidence.orders.len(), told.len());
            findings.push(format!("{placed} orders are there and {told} were told of, expected {MESSAGES}"));
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        Ok(Tally { deaths, copies: judge::copies(evidence.waiting.iter()), ..Tally::default() })
    }

    /// An API that is ready, and where it listens.
    async fn open(&self, death: Option<&str>) -> Result<(Armed, Url), String> {
        let [port] = ports::free().map_err(|error| format!("no free port: {error}"))?;
        let environment = environment(self.stack, port);
        let api = self.programs.start(PROGRAM, &self.name, &environment, death)?;
        let url = Url::parse(&format!("http://127.0.0.1:{port}")).map_err(|error| error.to_string())?;
        let ready = async || {
            let answer = self.stack.http.get(format!("{url}readyz")).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        };
        until("the API to be ready", ready).await?;
        Ok((api, url))
    }

    /// All at once, each over a connection of its own.
    async fn post_all(&mut self, url: &Url) -> Result<Vec<Answer>, String> {
        let poster =
            Poster::new(std::slice::from_ref(url), API_KEY, PATIENCE).map_err(|error| error.to_string())?;
        let (poster, mut posts) = (Arc::new(poster), JoinSet::new());
        for (number, body) in (0..).zip(self.orders.clone()) {
            let poster = Arc::clone(&poster);
            posts.spawn(async move { poster.submit(number, COMMAND, body).await });
        }
        let mut submits = posts.join_all().await;
        submits.sort_unstable_by_key(|submit| submit.number);
        let answers = submits.iter().map(|submit| submit.answer.clone()).collect();
        self.submits.extend(submits);
        Ok(answers)
    }

    /// What a worker makes of the jobs.
    async fn work_off(&self) -> Result<(), String> {
        let environment = [
            ("AMQP_URL", self.stack.world.amqp_url.clone()),
            ("DATABASE_URL", self.stack.world.database_url.clone()),
            ("PROBES_LISTEN", "127.0.0.1:0".to_owned()),
        ];
        let start = || self.programs.start("orders-worker", &self.name, &environment, None);
        work_off(self.stack, orders::DOMAIN.as_str(), start).await.map(drop)
    }

    async fn evidence(&mut self) -> Evidence {
        let subscriber = payments::DOMAIN.as_str();
        let mut evidence = judge::collect(self.stack, orders::DOMAIN, subscriber, CLIENT).await;
        self.waiting.append(&mut evidence.waiting);
        evidence.waiting.clone_from(&self.waiting);
        evidence.history.submits.clone_from(&self.submits);
        evidence
    }
}

/// What an API of the stack is told; with port 0 the system chooses one.
pub fn environment(stack: &Stack, port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("AMQP_URL", stack.world.amqp_url.clone()),
        ("DATABASE_URL", stack.world.database_url.clone()),
        ("API_LISTEN", format!("127.0.0.1:{port}")),
        ("DEV_API_KEY", API_KEY.to_owned()),
        ("JOB_ID_SECRET", JOB_ID_SECRET.to_owned()),
        // A busy machine is not what is tried out here.
        ("PUBLISH_DEADLINE_MS", "30000".to_owned()),
    ]
}
