//! The machine: it takes batches from a queue through a domain's rules into Postgres, and names no domain.
//!
//! A lane is one channel, one database connection and one loop; `Lane::work` is the life of a batch. Each step has a
//! file of its own, and messages go through them in one direction.

pub mod answer;
pub mod calls;
pub mod clock;
pub mod commit;
pub mod database;
pub mod emit;
pub mod gather;
pub mod ledger;
pub mod pause;
pub mod probation;
pub mod settle;
pub mod suspects;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_broker::{
    Connection, ConsumeError, Consumer, ConsumerSettings, Incoming, PublishError, Publisher, Replier,
};
use millrace_faults::{Mutant, Point, mutated, reach};
use millrace_service::{AlertSink, Check, Readiness};
use tokio_util::sync::CancellationToken;

use crate::effects::Effects;
use crate::store::Store;
use calls::CallLimits;
use clock::Clock;
use database::Database;
use gather::{Member, Trusted};
use pause::Pause;
use probation::{Probation, Turn};
use settle::{Place, Settlement};
use suspects::Company;

/// A queue that is gone or forbidden is asked for again this often.
const RESUBSCRIBE_PAUSE: Duration = Duration::from_millis(500);
/// A worker without work looks this often whether its database is still there.
const IDLE_CHECK: Duration = Duration::from_secs(5);
/// A subscription that has brought nothing at so many looks is renewed: a node that has lost touch with the majority of
/// its cluster never ends one, and never brings anything either.
const IDLE_CHECKS_MAX: u32 = 3;

/// The readiness check that a lost subscription turns off.
pub const QUEUE: &str = "queue";

/// The worst that a window on probation has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    Nothing,
    Fresh,
    Worn,
}

/// What every lane of a process shares.
pub struct Plant<E> {
    /// Where this is.
    pub place: Place,
    /// Consuming has a connection of its own: a broker that is short of memory stops those that publish.
    pub consuming: Connection,
    /// How the queue is consumed.
    pub consumer: ConsumerSettings,
    /// How many messages a batch has at most.
    pub batch_max: usize,
    /// For follow-ups, retries and dead letters.
    pub publisher: Publisher,
    /// For answers to doors that wait.
    pub replier: Replier,
    /// Makes the outside calls.
    pub effects: E,
    /// How outside calls are bounded.
    pub call_limits: CallLimits,
    /// Whose messages are worked.
    pub trusted: Trusted,
    /// What time it is.
    pub clock: Box<dyn Clock>,
    /// Where alerts go.
    pub alerts: Box<dyn AlertSink>,
    /// Whether the process should get work.
    pub readiness: Readiness,
    /// Whether its lanes may have more than one message delivered.
    pub probation: Probation,
}

/// One channel, one database connection, one loop.
pub struct Lane<E> {
    plant: Arc<Plant<E>>,
    database: Database,
    pause: Pause,
}

impl<E> Lane<E> {
    /// A lane that has not started yet.
    pub fn new(plant: Arc<Plant<E>>, database: Database, pause: Pause) -> Self {
        Self { plant, database, pause }
    }

    /// Works until it is asked to stop and has finished what was delivered to it.
    pub async fn run<D: Store>(mut self, stop: CancellationToken)
    where
        E: Effects<D>,
    {
        self.reach_database(&stop).await;
        let plant = Arc::clone(&self.plant);
        while !stop.is_cancelled() {
            let turn = tokio::select! {
                turn = plant.probation.enter() => turn,
                () = stop.cancelled() => break,
            };
            let window = turn.as_ref().map_or(plant.consumer.prefetch, Turn::window);
            let subscribed = tokio::select! {
                subscribed = self.subscribe(window) => subscribed,
                () = stop.cancelled() => break,
            };
            match subscribed {
                Ok(consumer) => {
                    plant.readiness.set(QUEUE, Check::Ready);
                    self.serve::<D>(consumer, turn, &stop).await;
                }
                Err(error) => {
                    plant.readiness.set(QUEUE, Check::NotReady(error.to_string()));
                    tokio::select! {
                        () = tokio::time::sleep(RESUBSCRIBE_PAUSE) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
        self.database.close().await;
    }

    async fn subscribe(&self, prefetch: u16) -> Result<Consumer, ConsumeError> {
        let settings = ConsumerSettings { prefetch, ..self.plant.consumer.clone() };
        Consumer::open(&self.plant.consuming, &settings).await
    }

    /// Without work, too, so that an idle worker is known to be ready, and one without a database takes nothing.
    async fn reach_database(&mut self, stop: &CancellationToken) {
        while let Err(trouble) = self.database.check().await {
            let reason = trouble.to_string();
            tokio::select! {
                () = self.pause.wait(&reason) => {}
                () = stop.cancelled() => return,
            }
        }
        self.pause.over();
    }

    /// Works off one subscription, until it is lost, or its window on probation is worked off. When it is asked to stop,
    /// it lets the broker send no more and finishes the rest.
    async fn serve<D: Store>(
        &mut self,
        mut consumer: Consumer,
        turn: Option<Turn<'_>>,
        stop: &CancellationToken,
    ) where
        E: Effects<D>,
    {
        let (mut cancelled, mut idle, mut met) = (false, 0, Met::Nothing);
        let lost = 'subscription: loop {
            let deliveries = tokio::select! {
                biased;
                () = stop.cancelled(), if !cancelled => {
                    cancelled = true;
                    consumer.cancel().await;
                    continue;
                }
                deliveries = consumer.next_batch(self.plant.batch_max) => deliveries,
                () = tokio::time::sleep(IDLE_CHECK) => {
                    self.reach_database(stop).await;
                    idle += 1;
                    if idle >= IDLE_CHECKS_MAX && !cancelled {
                        cancelled = true;
                        consumer.cancel().await;
                    }
                    continue;
                }
            };
            idle = 0;
            let Some(deliveries) = deliveries else { break !cancelled };
            met = met.max(if deliveries.iter().any(suspects::is_worn) { Met::Worn } else { Met::Fresh });
            let Self { plant, database, pause } = self;
            let runs = suspects::runs(database, pause, &plant.place, &deliveries).await;
            for company in suspects::apart(deliveries, &runs) {
                if let Err(error) = self.work::<D>(&consumer, company).await {
                    tracing::warn!("A batch is given back to the broker, which sends it again: {error}");
                    break 'subscription true;
                }
            }
            if turn.is_some() && !cancelled {
                cancelled = true;
                consumer.cancel().await;
            }
        };
        match (lost, turn, met) {
            (true, _, _) => {
                let reason = "the subscription has ended and is being renewed".to_owned();
                self.plant.readiness.set(QUEUE, Check::NotReady(reason));
                self.plant.probation.begin_again();
            }
            (false, Some(turn), Met::Worn) => turn.widen(),
            (false, Some(turn), Met::Fresh) => turn.pass(),
            (false, Some(_), Met::Nothing) | (false, None, _) => {}
        }
        consumer.close().await;
    }

    /// The life of a batch: call, commit, emit, acknowledge.
    async fn work<D: Store>(&mut self, consumer: &Consumer, company: Company) -> Result<(), Abandoned>
    where
        E: Effects<D>,
    {
        let Self { plant, database, pause } = self;
        let Company { deliveries: batch, crashes, .. } = company;
        let started = Instant::now();
        let now = plant.clock.now();
        batch.iter().for_each(|_| reach(Point::Delivered));
        if mutated(Mutant::AckBeforeCommit) {
            acknowledge(consumer, &batch).await?;
        }
        suspects::mark(database, pause, &plant.place, &batch).await;
        let mut members: Vec<Member<D>> =
            batch.into_iter().map(|incoming| Member::read(incoming, now, &plant.trusted, crashes)).collect();
        calls::make(database, pause, &plant.place, &plant.effects, plant.call_limits, &mut members).await;
        reach(Point::Called);
        if mutated(Mutant::PublishBeforeCommit) {
            let early = commit::rehearse(database, &plant.place, &members, now).await;
            emit::publish(&plant.publisher, consumer, early).await.map_err(Abandoned::NotPublished)?;
        }
        let mut settlements = commit::commit(database, pause, &plant.place, &mut members, now).await;
        reach(Point::Committed);
        answer::answer(&plant.replier, &members, &settlements);
        let messages = settlements.iter_mut().flat_map(|settlement| settlement.publish.drain(..)).collect();
        emit::publish(&plant.publisher, consumer, messages).await.map_err(Abandoned::NotPublished)?;
        reach(Point::Confirmed);
        if !mutated(Mutant::AckBeforeCommit) {
            acknowledge(consumer, members.iter().map(|member| &member.incoming)).await?;
        }
        reach(Point::Acknowledging);
        report(plant, settlements, started);
        reach(Point::Acknowledged);
        Ok(())
    }
}

/// Acknowledges a whole batch.
async fn acknowledge<'a>(
    consumer: &Consumer,
    batch: impl IntoIterator<Item = &'a Incoming>,
) -> Result<(), Abandoned> {
    match batch.into_iter().last() {
        Some(last) => consumer.acknowledge_through(last).await.map_err(Abandoned::NotAcknowledged),
        None => Ok(()),
    }
}

/// The broker has taken the deliveries of a batch back; it will send them again, and the ledger knows how far they got.
#[derive(Debug, thiserror::Error)]
enum Abandoned {
    #[error("its follow-ups are not published: {0}")]
    NotPublished(PublishError),
    #[error("it can't be acknowledged: {0}")]
    NotAcknowledged(ConsumeError),
}

fn report<E>(plant: &Plant<E>, settlements: Vec<Settlement>, started: Instant) {
    let handler = plant.place.domain.name();
    metrics::histogram!("millrace_batch_messages", "handler" => handler).record(settlements.len() as f64);
    metrics::histogram!("millrace_batch_seconds", "handler" => handler).record(started.elapsed());
    for settlement in settlements {
        metrics::counter!("millrace_messages_total", "handler" => handler, "outcome" => settlement.label)
            .increment(1);
        if let Some(alert) = settlement.alert {
            plant.alerts.raise(alert);
        }
    }
}
