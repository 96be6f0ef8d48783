//! Follows the flows that clients wait for: one task reads the ledger for all of them, again and again.
//!
//! So the number of clients that wait changes how late they learn of a change, not how busy the database is. LISTEN and
//! NOTIFY would cost something in every commit, for the few flows that are followed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_protocol::{ClientId, JobId};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::database::ReadError;
use crate::flow::Row;
use crate::ledger::{Ledger, Stamp};
use crate::problem::Problem;

/// The least pause between two reads.
const PAUSE_MIN: Duration = Duration::from_millis(25);
/// The pause is this many times as long as the read before it, so the task uses a fifth of one connection's time at most.
const PAUSE_PER_READ: u32 = 4;
/// How many flows one read covers.
const JOBS_MAX: usize = 500;
/// The pause after an error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

type Rows = Arc<Vec<Row>>;

/// The flows that are followed. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct FlowWatcher {
    ledger: Ledger,
    followed: Arc<Mutex<HashMap<JobId, Followed>>>,
    more: Arc<Notify>,
}

#[derive(Debug)]
struct Followed {
    client: ClientId,
    stamp: Option<Stamp>,
    rows: watch::Sender<Rows>,
}

impl FlowWatcher {
    pub fn over(ledger: Ledger) -> Self {
        Self { ledger, followed: Arc::default(), more: Arc::default() }
    }

    /// A flow's rows, now and whenever they change.
    pub async fn follow(&self, job: JobId, client: &ClientId) -> Result<watch::Receiver<Rows>, ReadError> {
        let rows = Arc::new(self.ledger.rows(job, client).await?);
        let receiver = {
            let mut followed = self.lock();
            let one = followed.entry(job).or_insert_with(|| Followed {
                client: client.clone(),
                stamp: None,
                rows: watch::Sender::new(Arc::clone(&rows)),
            });
            one.rows.subscribe()
        };
        self.more.notify_one();
        Ok(receiver)
    }

    /// Waits until a flow's rows meet a condition. `None` if the API stops before.
    pub async fn until(
        &self,
        job: JobId,
        client: &ClientId,
        condition: fn(JobId, &[Row]) -> bool,
    ) -> Result<Option<Vec<Row>>, Problem> {
        let mut rows = self.follow(job, client).await?;
        let found = rows.wait_for(|rows| condition(job, rows)).await.ok().map(|rows| rows.to_vec());
        Ok(found)
    }

    /// Reads until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let reading = async {
            loop {
                let jobs = self.wanted();
                if jobs.is_empty() {
                    self.more.notified().await;
                    continue;
                }
                let started = Instant::now();
                let pause = match self.read(jobs).await {
                    Ok(()) => PAUSE_MIN.max(started.elapsed() * PAUSE_PER_READ),
                    Err(error) => {
                        tracing::debug!("Jobs that clients wait for can't be looked up: {error}");
                        PAUSE_AFTER_ERROR
                    }
                };
                tokio::time::sleep(pause).await;
            }
        };
        stop.run_until_cancelled(reading).await;
        self.lock().clear();
    }

    /// The flows that a client still follows.
    fn wanted(&self) -> Vec<(JobId, ClientId)> {
        let mut followed = self.lock();
        followed.retain(|_, followed| followed.rows.receiver_count() > 0);
        followed.iter().map(|(job, followed)| (*job, followed.client.clone())).collect()
    }

    async fn read(&self, jobs: Vec<(JobId, ClientId)>) -> Result<(), ReadError> {
        for some in jobs.chunks(JOBS_MAX) {
            let stamps = self.ledger.stamps(some.to_vec()).await?;
            for (job, client) in some {
                let Some(stamp) = stamps.get(job).copied() else { continue };
                if self.is_news(*job, stamp) {
                    let rows = Arc::new(self.ledger.rows(*job, client).await?);
                    if let Some(followed) = self.lock().get_mut(job) {
                        followed.stamp = Some(stamp);
                        followed.rows.send_replace(rows);
                    }
                }
            }
        }
        Ok(())
    }

    fn is_news(&self, job: JobId, stamp: Stamp) -> bool {
        self.lock().get(&job).is_some_and(|followed| followed.stamp != Some(stamp))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
