//! The load: jobs drawn from the seed, posted evenly over the given time by several tasks.

mod client;
mod jobs;
mod meters;
mod post;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_contracts::catalog;
use millrace_protocol::Fingerprint;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::checker::options::Workload;
use crate::history::{Answer, Event, Recorder};
use client::ClientModel;
use jobs::Job;
pub use meters::{Counts, Meters};
use millrace_testkit::random::Random;
pub use post::Poster;

/// A client that waits this long does not know what became of its job.
pub const POST_DEADLINE: Duration = Duration::from_secs(5);
/// Posts in flight at once.
const TASKS: u64 = 48;
/// A job that was owed and still can't be posted this long after all was healed is given up.
const OWED_AFTER_HEALING: Duration = Duration::from_secs(30);
const DEBT_PAUSE: Duration = Duration::from_millis(50);

/// A job that the API took, for those who publish copies.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub job_id: Uuid,
    pub command: &'static str,
    /// The body as it is on the wire, where that is known.
    pub wire: Option<Vec<u8>>,
}

/// Whether a client goes on at once, or was asked to come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    On,
    Later,
}

/// What the tasks share.
pub struct Load {
    seed: u64,
    slots: u64,
    interval: Duration,
    began: Instant,
    next_slot: AtomicU64,
    next_submit: AtomicU64,
    client: Mutex<ClientModel>,
    poster: Poster,
    recorder: Recorder,
    meters: Arc<Meters>,
    accepted: mpsc::UnboundedSender<Accepted>,
    healed: watch::Receiver<bool>,
}

impl Load {
    pub fn new(
        workload: &Workload,
        poster: Poster,
        recorder: Recorder,
        meters: Arc<Meters>,
        accepted: mpsc::UnboundedSender<Accepted>,
        healed: watch::Receiver<bool>,
    ) -> Self {
        let jobs = u32::try_from(workload.jobs.max(1)).unwrap_or(u32::MAX);
        Self {
            seed: workload.seed,
            slots: workload.jobs,
            interval: workload.over / jobs,
            began: Instant::now(),
            next_slot: AtomicU64::new(0),
            next_submit: AtomicU64::new(0),
            client: Mutex::new(ClientModel::new(workload.jobs)),
            poster,
            recorder,
            meters,
            accepted,
            healed,
        }
    }

    /// Posts everything, and returns when all of it is answered.
    pub async fn post(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS.min(self.slots) {
            tasks.spawn(Arc::clone(&self).work_slots());
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn work_slots(self: Arc<Self>) {
        loop {
            let slot = self.next_slot.fetch_add(1, Ordering::Relaxed);
            if slot >= self.slots {
                return;
            }
            let due = self.interval.saturating_mul(u32::try_from(slot).unwrap_or(u32::MAX));
            tokio::time::sleep_until((self.began + due).into()).await;
            let mut random = Random::of(self.seed, "job", slot);
            let job = self.client().compose(&mut random, Instant::now());
            if self.submit(job, &mut random).await == Pace::Later {
                tokio::time::sleep(random.millis(500, 2000)).await;
            }
        }
    }

    /// Posts what is owed, such as the user of an order, until it is taken.
    pub async fn pay_debts(&self) {
        let (mut random, mut healed_at) = (Random::of(self.seed, "debts", 0), None);
        while !self.client().is_debtless() {
            let now = Instant::now();
            if *self.healed.borrow() && now - *healed_at.get_or_insert(now) > OWED_AFTER_HEALING {
                return;
            }
            let owed = self.client().owed(now);
            match owed {
                Some(job) => {
                    self.submit(job, &mut random).await;
                }
                None => tokio::time::sleep(DEBT_PAUSE).await,
            }
        }
    }

    async fn submit(&self, job: Job, random: &mut Random) -> Pace {
        let submit = self.next_submit.fetch_add(1, Ordering::Relaxed);
        let wire = body_on_the_wire(job.command, &job.body);
        self.recorder.note(Event::Invoke {
            submit,
            command: job.command.to_owned(),
            body: job.body.clone(),
            fingerprint: wire.as_deref().map(|wire| Fingerprint::of(wire).as_str().to_owned()),
        });
        self.meters.sent();
        let answer = self.poster.post(submit, job.command, &job.body).await;
        self.meters.answered(&answer);
        self.recorder.note(answer.clone().event(submit));
        let pace = if answer.is_refused_for_now() { Pace::Later } else { Pace::On };
        if let Answer::Accepted(job_id) = answer {
            // Nobody listens where no copies are wanted.
            let _ = self.accepted.send(Accepted { job_id, command: job.command, wire });
        }
        self.client().learn(job, &answer, random, Instant::now());
        pace
    }

    fn client(&self) -> std::sync::MutexGuard<'_, ClientModel> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body that the API puts onto the wire for a job; of one that it refuses there is none. It mints the key of an API key
/// itself, so that one can't be known.
pub fn body_on_the_wire(command: &str, body: &Value) -> Option<Vec<u8>> {
    let entry = catalog().find(command).filter(|entry| entry.message_type != "auth.issue-api-key")?;
    entry.check(body.to_string().as_bytes()).ok()
}
