//! The load: jobs drawn from the seed, posted evenly over the given time by several tasks.

mod client;
mod jobs;
mod meters;
mod post;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
pub use post::{Poster, body_on_the_wire};

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
    pub body: Value,
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
        let number = self.next_submit.fetch_add(1, Ordering::Relaxed);
        self.meters.sent();
        let submit = self.poster.submit(number, job.command, job.body.clone()).await;
        let answer = submit.answer.clone();
        self.recorder.note(&Event::Submit(submit));
        self.meters.answered(&answer);
        if let Answer::Accepted(job_id) = answer {
            // Nobody listens where no copies are wanted.
            let _ = self.accepted.send(Accepted { job_id, command: job.command, body: job.body.clone() });
        }
        let pace = if answer.is_refused_for_now() { Pace::Later } else { Pace::On };
        self.client().learn(job, &answer, random, Instant::now());
        pace
    }

    fn client(&self) -> std::sync::MutexGuard<'_, ClientModel> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
