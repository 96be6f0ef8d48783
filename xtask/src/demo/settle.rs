//! Waiting until flows are settled, by asking the API like any client.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use uuid::Uuid;

use super::load::bar;
use crate::api::{ApiClient, JobView};
use crate::error::Error;

const CONCURRENCY: usize = 16;
const PAUSE: Duration = Duration::from_millis(200);

/// A job whose flow is not settled, or has a dead message.
#[derive(Debug)]
pub struct Unsettled {
    pub job: Uuid,
    pub view: JobView,
}

/// Waits for all, with a progress bar, and returns those that were not settled in time or have a dead message.
pub async fn wait(api: &ApiClient, jobs: &[Uuid], deadline: Duration) -> Result<Vec<Unsettled>, Error> {
    let bar = bar(jobs.len(), "waiting for every flow");
    let unsettled = ask_until_settled(api, jobs, deadline, &bar).await?;
    bar.finish();
    Ok(unsettled)
}

/// The same for a step in between, where one that does not settle is the end of the demo.
pub async fn quietly(api: &ApiClient, jobs: &[Uuid], deadline: Duration) -> Result<(), Error> {
    let unsettled = ask_until_settled(api, jobs, deadline, &ProgressBar::hidden()).await?;
    match unsettled.first() {
        None => Ok(()),
        Some(first) => Err(Error::Http { what: format!("job {}", first.job), reason: in_words(&first.view) }),
    }
}

pub fn in_words(view: &JobView) -> String {
    let flow = &view.flow;
    let problem = view.problem.as_ref().map(|problem| format!(", problem {problem}")).unwrap_or_default();
    format!(
        "{} after {} attempt(s){problem}; its flow is {} ({} handled, {} pending, {} dead)",
        view.status, view.attempts, flow.state, flow.handled, flow.pending, flow.dead
    )
}

async fn ask_until_settled(
    api: &ApiClient,
    jobs: &[Uuid],
    deadline: Duration,
    bar: &ProgressBar,
) -> Result<Vec<Unsettled>, Error> {
    let until = Instant::now() + deadline;
    let mut open = jobs.to_vec();
    let mut stuck = Vec::new();
    loop {
        let views: Vec<Unsettled> = stream::iter(open)
            .map(|job| async move { api.job(job).await.map(|view| Unsettled { job, view }) })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        let mut running = Vec::new();
        for asked in views {
            match asked.view.flow.state.as_str() {
                "settled" => bar.inc(1),
                "running" => running.push(asked),
                // It will not go on by itself.
                _ => stuck.push(asked),
            }
        }
        if running.is_empty() || Instant::now() > until {
            stuck.append(&mut running);
            return Ok(stuck);
        }
        open = running.iter().map(|asked| asked.job).collect();
        tokio::time::sleep(PAUSE).await;
    }
}
