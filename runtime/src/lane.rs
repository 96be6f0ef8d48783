//! A consumer lane: one broker channel, one database session, one loop. [`Lane::process`] takes a batch through its steps, and
//! each step has a file of its own.

#[cfg(feature = "armed")]
mod mutants;

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_broker::{
    Connection, ConsumeError, Consumer, ConsumerSettings, Incoming, PublishError, Publisher, Replier,
};
use millrace_faults::{Point, reach};
use millrace_service::{AlertSink, Check, Readiness};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::decode::{BatchItem, Trusted};
use crate::effects::CallLimits;
use crate::isolation::IsolationBatch;
use crate::session::{Handler, Session};
use crate::settle::Settlement;
use crate::slow_start::{Permit, Redelivery, SlowStart};
use crate::store::Store;
use crate::{calls, commit, emit, isolation, reply};

/// How long a lane waits before it subscribes again to a queue that is gone or forbidden.
const RESUBSCRIBE_PAUSE: Duration = Duration::from_millis(500);
/// How often a lane without messages checks that its database is still there.
const IDLE_CHECK: Duration = Duration::from_secs(5);
/// After this many checks without a message the subscription is renewed: a node that has lost touch with the majority of its
/// cluster never ends one, and never delivers anything either.
const IDLE_CHECKS_MAX: u32 = 3;

/// The readiness check that a lost subscription turns off.
pub const QUEUE: &str = "queue";

/// What every lane of a process shares.
pub struct LaneContext<E> {
    /// Who handles the messages.
    pub handler: Arc<Handler>,
    /// The connection for consuming. Publishing has another one: a broker that is short of memory stops those that publish.
    pub consuming: Connection,
    /// How the queue is consumed.
    pub consumer: ConsumerSettings,
    /// How many messages a batch has at most.
    pub batch_max: usize,
    /// For follow-ups, retries and dead letters.
    pub publisher: Publisher,
    /// For replies to API processes that wait.
    pub replier: Replier,
    /// The outside system.
    pub effects: E,
    /// How outside calls are bounded.
    pub call_limits: CallLimits,
    /// Whose messages are processed.
    pub trusted: Trusted,
    /// What time it is.
    pub clock: Box<dyn Clock>,
    /// Where alerts go.
    pub alerts: Box<dyn AlertSink>,
    /// Whether the process should get work.
    pub readiness: Readiness,
    /// Whether more than one lane may work, with more than one message delivered.
    pub slow_start: SlowStart,
}

/// One channel, one database session, one loop.
pub struct Lane<D: Store> {
    /// Counted from 0.
    number: usize,
    context: Arc<LaneContext<D::Effects>>,
    session: Session,
}

impl<D: Store> Lane<D> {
    /// A lane that has not started yet.
    pub fn new(number: usize, context: Arc<LaneContext<D::Effects>>, session: Session) -> Self {
        Self { number, context, session }
    }

    /// Processes messages until it is asked to stop and has finished those that were delivered to it.
    pub async fn run(mut self, stop: CancellationToken) {
        self.reach_database(&stop).await;
        let context = Arc::clone(&self.context);
        while !stop.is_cancelled() {
            // The lane that has the queue meanwhile reports how that goes.
            let enter = context.slow_start.enter(|| self.report_queue(Check::Ready));
            let permit = tokio::select! {
                permit = self.session.heartbeat.while_waiting(enter) => permit,
                () = stop.cancelled() => break,
            };
            let window = permit.as_ref().map_or(context.consumer.prefetch, Permit::window);
            let subscribed = tokio::select! {
                subscribed = self.session.heartbeat.while_waiting(self.subscribe(window)) => subscribed,
                () = stop.cancelled() => break,
            };
            match subscribed {
                Ok(consumer) => {
                    self.report_queue(Check::Ready);
                    self.consume(consumer, permit, &stop).await;
                }
                Err(error) => {
                    self.report_queue(Check::NotReady(error.to_string()));
                    tokio::select! {
                        () = tokio::time::sleep(RESUBSCRIBE_PAUSE) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
        self.session.close().await;
    }

    fn report_queue(&self, check: Check) {
        self.context.readiness.set_part(QUEUE, self.number, check);
    }

    async fn subscribe(&self, prefetch: u16) -> Result<Consumer, ConsumeError> {
        let settings = ConsumerSettings { prefetch, ..self.context.consumer.clone() };
        Consumer::open(&self.context.consuming, &settings).await
    }

    /// Without messages, too, so that an idle worker is known to be ready, and one without a database takes nothing.
    async fn reach_database(&mut self, stop: &CancellationToken) {
        while let Err(error) = self.session.check().await {
            let reason = error.to_string();
            tokio::select! {
                () = self.session.wait(&reason) => {}
                () = stop.cancelled() => return,
            }
        }
        self.session.available();
    }

    /// Consumes one subscription until it is lost, or its window of the slow start has come to its end. When it is asked to
    /// stop, it lets the broker deliver no more and finishes the rest.
    async fn consume(
        &mut self,
        mut consumer: Consumer,
        permit: Option<Permit<'_>>,
        stop: &CancellationToken,
    ) {
        let (mut cancelled, mut idle, mut redelivery) = (false, 0, Redelivery::NoMessage);
        let lost = 'subscription: loop {
            self.session.heartbeat.beat();
            let deliveries = tokio::select! {
                biased;
                () = stop.cancelled(), if !cancelled => {
                    cancelled = true;
                    consumer.cancel().await;
                    continue;
                }
                deliveries = self.session.heartbeat.while_waiting(consumer.next_batch(self.context.batch_max)) => {
                    deliveries
                }
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
            let often = deliveries.iter().any(isolation::is_redelivered_often);
            redelivery = redelivery.max(if often { Redelivery::Often } else { Redelivery::Seldom });
            let unfinished = isolation::unfinished_attempts(&mut self.session, &deliveries).await;
            for batch in isolation::split_by_risk(deliveries, &unfinished) {
                if let Err(error) = self.process(&consumer, batch).await {
                    tracing::warn!("A batch is returned to the broker, which delivers it again: {error}");
                    break 'subscription true;
                }
            }
            if permit.is_some() && !cancelled {
                cancelled = true;
                consumer.cancel().await;
            }
        };
        if lost {
            let reason = "the subscription has ended and is being renewed".to_owned();
            self.report_queue(Check::NotReady(reason));
            self.context.slow_start.begin_again();
        } else if let Some(permit) = permit {
            permit.window_ended(redelivery);
        }
        consumer.close().await;
    }

    /// Takes a batch through its life: decode and call, commit, publish, acknowledge.
    async fn process(&mut self, consumer: &Consumer, batch: IsolationBatch) -> Result<(), Abandoned> {
        #[cfg(feature = "armed")]
        if mutants::reorder_steps() {
            return self.process_reordered(consumer, batch).await;
        }
        let started = Instant::now();
        let mut items = self.prepare(batch).await;
        let mut settlements =
            commit::commit(&mut self.session, &mut items, self.context.clock.as_ref()).await;
        reach(Point::Committed);
        reply::send(&self.context.replier, &items, &settlements);
        self.publish(consumer, &mut settlements).await?;
        reach(Point::Confirmed);
        acknowledge(consumer, items.iter().map(|item| &item.incoming)).await?;
        reach(Point::Acknowledging);
        report(&self.context, settlements, started);
        reach(Point::Acknowledged);
        Ok(())
    }

    /// Everything before the transaction: decodes the messages, and makes the outside calls that they need.
    async fn prepare(&mut self, batch: IsolationBatch) -> Vec<BatchItem<D>> {
        let Self { context, session, .. } = self;
        let received_at = context.clock.now();
        let IsolationBatch { deliveries, crashes, .. } = batch;
        deliveries.iter().for_each(|_| reach(Point::Delivered));
        isolation::record_start(session, &deliveries).await;
        let decode = |incoming| BatchItem::<D>::decode(incoming, received_at, &context.trusted, crashes);
        let mut items: Vec<BatchItem<D>> = deliveries.into_iter().map(decode).collect();
        calls::make(session, &context.effects, context.call_limits, &mut items).await;
        reach(Point::Called);
        items
    }

    /// Publishes what the settlements hold, and returns once the broker has confirmed it.
    async fn publish(&self, consumer: &Consumer, settlements: &mut [Settlement]) -> Result<(), Abandoned> {
        let messages = settlements.iter_mut().flat_map(|settlement| settlement.publish.drain(..)).collect();
        emit::publish(&self.context.publisher, consumer, &self.session.heartbeat, messages)
            .await
            .map_err(Abandoned::NotPublished)
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

/// The broker has taken the deliveries of a batch back; it will deliver them again, and the ledger knows how far they got.
#[derive(Debug, thiserror::Error)]
enum Abandoned {
    #[error("its follow-ups are not published: {0}")]
    NotPublished(PublishError),
    #[error("it can't be acknowledged: {0}")]
    NotAcknowledged(ConsumeError),
}

fn report<E>(context: &LaneContext<E>, settlements: Vec<Settlement>, started: Instant) {
    let handler = context.handler.domain.as_str();
    metrics::histogram!("millrace_batch_messages", "handler" => handler).record(settlements.len() as f64);
    metrics::histogram!("millrace_batch_seconds", "handler" => handler).record(started.elapsed());
    for settlement in settlements {
        metrics::counter!("millrace_messages_total", "handler" => handler, "outcome" => settlement.label)
            .increment(1);
        if let Some(alert) = settlement.alert {
            context.alerts.raise(alert);
        }
    }
}
