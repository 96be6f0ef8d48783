//! What is attacked: two API processes, a worker of each domain and servers of their own, and what can be seen of them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::wait::until;
use millrace_contracts::catalog;
use millrace_testkit::stack::program::log_file;
use millrace_testkit::stack::{Stack, StackSettings};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::commands;
use crate::error::Error;
use crate::siege::answer_rules::AnswerRules;
use crate::siege::http::{Answer, Client, Request};

/// A twentieth: the first retries take milliseconds, the last some seconds.
pub const RETRY_SCALE: f64 = 0.05;
/// For a request's header and body; shorter than usual, so that no scenario takes long.
pub const HEADER_DEADLINE: Duration = Duration::from_secs(3);
pub const BODY_DEADLINE: Duration = Duration::from_secs(3);
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const PAUSE: Duration = Duration::from_millis(20);
/// For a worker that was asked to stop.
pub const STOP_PATIENCE: Duration = Duration::from_secs(40);

pub struct Target {
    pub stack: Stack,
    pub rules: AnswerRules,
    pub logs: PathBuf,
}

impl Target {
    pub async fn start(programs: &Path, logs: &Path, log_filter: &str) -> Result<Self, Error> {
        // Logs of an earlier run must not be searched.
        match std::fs::remove_dir_all(logs) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let millis = |duration: Duration| duration.as_millis().to_string();
        let settings = StackSettings {
            programs: programs.to_owned(),
            logs: logs.to_owned(),
            domains: catalog().domains().iter().map(|domain| domain.as_str().to_owned()).collect(),
            apis: 2,
            workers: 1,
            retry_scale: RETRY_SCALE,
            environment: [
                ("LOG_FILTER", log_filter.to_owned()),
                ("API_HEADER_DEADLINE_MS", millis(HEADER_DEADLINE)),
                ("API_BODY_DEADLINE_MS", millis(BODY_DEADLINE)),
                // The API as a whole is under attack, so no client is held to its share.
                ("API_CLIENT_RATE", "1000000".to_owned()),
                ("API_KEY_USE_EVERY_MS", "1000".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        };
        let stack = Stack::start(&settings).await?;
        Ok(Self { rules: AnswerRules::of(&stack), stack, logs: logs.to_owned() })
    }

    /// Where an API process listens.
    pub fn api(&self, number: usize) -> SocketAddr {
        self.stack.units[number].listens
    }

    pub fn key(&self) -> &str {
        &self.stack.api_key
    }

    /// The process id of each API process.
    pub async fn api_pids(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        for api in self.stack.units.apis() {
            pids.push(api.program.lock().await.pid());
        }
        pids
    }

    /// Memory of an API process, in KiB; 0 once it has ended.
    pub async fn rss(&self, number: usize) -> u64 {
        let program = self.stack.units[number].program.lock().await;
        program.resources().map_or(0, |resources| resources.rss_kib)
    }

    /// How often the logs of the API processes tell of a panic.
    pub fn panics(&self) -> usize {
        let logs = self.stack.units.apis().map(|api| log_file(&self.logs, &api.name));
        let texts = logs.map(|log| std::fs::read(log).unwrap_or_default());
        texts.map(|text| String::from_utf8_lossy(&text).matches("panicked").count()).sum()
    }

    /// Posts a job to the first API process until it is accepted; the answer that says so.
    pub async fn accepted(&self, request: &Request) -> Result<Answer, Error> {
        let (mut client, mut accepted) = (Client::of(self.api(0)), None);
        until("a job to be accepted", PATIENCE, async || {
            let answer = client.send(request, PATIENCE).await.answer();
            accepted = answer.filter(|answer| answer.status() / 100 == 2);
            Ok(accepted.is_some())
        })
        .await?;
        accepted.ok_or_else(|| Error::new("posting a job", "it was not accepted"))
    }

    /// Registers a user and waits until the orders domain knows them.
    pub async fn customer(&self) -> Result<Uuid, Error> {
        let email = format!("{}@example.com", Uuid::now_v7().simple());
        let answer =
            self.accepted(&Request::job("users.register", &commands::register(&email), self.key())).await?;
        let job = answer.text("/job_id").and_then(|job| job.parse().ok()).unwrap_or_default();
        let mut session = self.stack.servers.session().await?;
        until("a customer to be known", PATIENCE, async || {
            count(&mut session, "SELECT count(*) FROM orders.customers WHERE user_id = $1", job)
                .await
                .map(|count| count == 1)
        })
        .await?;
        Ok(job)
    }
}

/// How many rows this statement counts for this id.
pub async fn count(session: &mut PgConnection, sql: &'static str, id: Uuid) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(sql).bind(id).fetch_one(session).await?)
}
