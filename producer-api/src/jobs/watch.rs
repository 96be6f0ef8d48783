//! Follows the flows of jobs that somebody waits for: one reader asks the ledger for all of them, again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_contracts::{ClientId, JobId};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::flow::Row;
use crate::ledger::{Ledger, ReadError, Stamp};
use crate::problem::Problem;

/// The ledger is asked this often at most.
const PAUSE_MIN: Duration = Duration::from_millis(25);
/// Asking takes up at most one part of so many of a connection's time.
const SHARE: u32 = 4;
/// So many flows are asked for at once.
const JOBS_MAX: usize = 500;
/// After an error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

type Rows = Arc<Vec<Row>>;

/// Flows that are followed. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
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

impl Watch {
    pub fn over(ledger: Ledger) -> Self {
        Self { ledger, followed: Arc::default(), more: Arc::default() }
    }

    /// A flow as it is now, and again whenever it has changed.
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

    /// Waits until a flow is as it is looked for. `None` when the door closes.
    pub async fn until(
        &self,
        job: JobId,
        client: &ClientId,
        is_so: fn(JobId, &[Row]) -> bool,
    ) -> Result<Option<Vec<Row>>, Problem> {
        let mut rows = self.follow(job, client).await?;
        let found = rows.wait_for(|rows| is_so(job, rows)).await.ok().map(|rows| rows.to_vec());
        Ok(found)
    }

    /// Asks until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let asking = async {
            loop {
                let jobs = self.wanted();
                if jobs.is_empty() {
                    self.more.notified().await;
                    continue;
                }
                let started = Instant::now();
                let pause = match self.ask(jobs).await {
                    Ok(()) => PAUSE_MIN.max(started.elapsed() * SHARE),
                    Err(error) => {
                        tracing::debug!("Jobs that are waited for can't be looked up: {error}");
                        PAUSE_AFTER_ERROR
                    }
                };
                tokio::time::sleep(pause).await;
            }
        };
        stop.run_until_cancelled(asking).await;
        self.lock().clear();
    }

    /// Those that somebody still follows.
    fn wanted(&self) -> Vec<(JobId, ClientId)> {
        let mut followed = self.lock();
        followed.retain(|_, followed| followed.rows.receiver_count() > 0);
        followed.iter().map(|(job, followed)| (*job, followed.client.clone())).collect()
    }

    async fn ask(&self, jobs: Vec<(JobId, ClientId)>) -> Result<(), ReadError> {
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
