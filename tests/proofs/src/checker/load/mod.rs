//! The load: jobs drawn from the seed, posted evenly over the given time by several tasks.

mod cast;
mod jobs;
mod post;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_contracts::{Fingerprint, catalog};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::checker::draw::Draw;
use crate::checker::history::{Event, Recorder};
use crate::checker::meters::Meters;
use crate::checker::run::Told;
use crate::checker::settings::Settings;
use crate::checker::trouble::Trouble;
use cast::Cast;
use jobs::Job;
pub use post::Outcome;
use post::Poster;

/// Posts in flight at once.
const TASKS: u64 = 48;
/// A job that was owed and still can't be posted this long after all was healed is given up.
const OWED_AFTER_HEALING: Duration = Duration::from_secs(30);
const DEBT_PAUSE: Duration = Duration::from_millis(50);

/// A job that the door took, for those who publish copies.
#[derive(Debug, Clone)]
pub struct Taken {
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
    cast: Mutex<Cast>,
    poster: Poster,
    recorder: Recorder,
    meters: Arc<Meters>,
    taken: mpsc::UnboundedSender<Taken>,
    told: watch::Receiver<Told>,
}

impl Load {
    pub fn new(
        settings: &Settings,
        recorder: Recorder,
        meters: Arc<Meters>,
        taken: mpsc::UnboundedSender<Taken>,
        told: watch::Receiver<Told>,
    ) -> Result<Self, Trouble> {
        let jobs = u32::try_from(settings.jobs.max(1)).unwrap_or(u32::MAX);
        Ok(Self {
            seed: settings.seed,
            slots: settings.jobs,
            interval: settings.over / jobs,
            began: Instant::now(),
            next_slot: AtomicU64::new(0),
            next_submit: AtomicU64::new(0),
            cast: Mutex::new(Cast::new(settings.jobs)),
            poster: Poster::new(settings)?,
            recorder,
            meters,
            taken,
            told,
        })
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
            let mut draw = Draw::of(self.seed, "job", slot);
            let job = self.cast().compose(&mut draw, Instant::now());
            if self.submit(job, &mut draw).await == Pace::Later {
                tokio::time::sleep(draw.millis(500, 2000)).await;
            }
        }
    }

    /// Posts what is owed, such as the user of an order, until it is taken.
    pub async fn pay_debts(&self) {
        let (mut draw, mut healed_at) = (Draw::of(self.seed, "debts", 0), None);
        while !self.cast().is_debtless() {
            let now = Instant::now();
            if *self.told.borrow() == Told::Healed && now - *healed_at.get_or_insert(now) > OWED_AFTER_HEALING
            {
                return;
            }
            let owed = self.cast().owed(now);
            match owed {
                Some(job) => {
                    self.submit(job, &mut draw).await;
                }
                None => tokio::time::sleep(DEBT_PAUSE).await,
            }
        }
    }

    async fn submit(&self, job: Job, draw: &mut Draw) -> Pace {
        let submit = self.next_submit.fetch_add(1, Ordering::Relaxed);
        let wire = wire_of(&job);
        self.recorder.note(Event::Invoke {
            submit,
            command: job.command.to_owned(),
            body: job.body.clone(),
            fingerprint: wire.as_deref().map(|wire| Fingerprint::of(wire).as_str().to_owned()),
        });
        self.meters.sent();
        let outcome = self.poster.post(submit, job.command, &job.body).await;
        self.meters.answered(&outcome);
        self.recorder.note(outcome.clone().event(submit));
        let pace = if outcome.is_refused_for_now() { Pace::Later } else { Pace::On };
        if let Outcome::Ok(job_id) = outcome {
            // Nobody listens where no copies are wanted.
            let _ = self.taken.send(Taken { job_id, command: job.command, wire });
        }
        self.cast().learn(job, &outcome, draw, Instant::now());
        pace
    }

    fn cast(&self) -> std::sync::MutexGuard<'_, Cast> {
        self.cast.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The door mints the key of an API key itself, so that body can't be known; one that it refuses has none.
fn wire_of(job: &Job) -> Option<Vec<u8>> {
    let entry = catalog().find(job.command).filter(|entry| entry.message_type != "auth.issue-api-key")?;
    entry.check(job.body.to_string().as_bytes()).ok()
}
