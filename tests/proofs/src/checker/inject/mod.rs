//! What the checker itself does to the pipeline: copies of messages, early and late, and messages that nobody can read.

mod message;
mod poison;
mod sender;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::checker::follow::Ended;
use crate::checker::options::Options;
use crate::history::{Copy, Event, Poison, Recorder, UNREADABLE};
use crate::load::Accepted;
use message::Message;
use millrace_testkit::random::Random;
use sender::Sender;

/// Learns which jobs were accepted and which messages have ended, and remembers what to publish later.
pub struct Injector {
    options: Options,
    recorder: Recorder,
    sender: Sender,
    random: Random,
    accepted: mpsc::UnboundedReceiver<Accepted>,
    ended: mpsc::UnboundedReceiver<Ended>,
    /// By when they are due, and in the order in which they were drawn.
    later: BinaryHeap<Reverse<(Instant, usize)>>,
    waiting: Vec<Option<Message>>,
    poisoned: u64,
}

impl Injector {
    pub fn new(
        options: &Options,
        recorder: Recorder,
        accepted: mpsc::UnboundedReceiver<Accepted>,
        ended: mpsc::UnboundedReceiver<Ended>,
    ) -> Self {
        Self {
            sender: Sender::new(&options.endpoints.amqp_url),
            random: Random::of(options.workload.seed, "injections", 0),
            options: options.clone(),
            recorder,
            accepted,
            ended,
            later: BinaryHeap::new(),
            waiting: Vec::new(),
            poisoned: 0,
        }
    }

    /// Works until the load is over, and then publishes at once what was still to wait.
    pub async fn run(mut self) {
        loop {
            let next = self
                .later
                .peek()
                .map_or_else(|| Instant::now() + Duration::from_secs(1), |Reverse((due, _))| *due);
            tokio::select! {
                accepted = self.accepted.recv() => match accepted {
                    Some(accepted) => self.hear_of_job(accepted).await,
                    None => break,
                },
                Some(ended) = self.ended.recv() => self.hear_of_end(&ended).await,
                () = tokio::time::sleep_until(next.into()) => self.publish_due(Instant::now()).await,
            }
        }
        let long_after = Instant::now() + Duration::from_secs(86_400);
        self.publish_due(long_after).await;
        self.sender.close().await;
    }

    async fn hear_of_job(&mut self, accepted: Accepted) {
        if self.random.chance(self.options.workload.injections.poison_share) {
            self.poison().await;
        }
        if self.random.chance(self.options.workload.injections.duplicate_share)
            && let Some(message) = Message::command(&accepted, &self.options.client)
        {
            self.copy(message).await;
        }
    }

    async fn hear_of_end(&mut self, ended: &Ended) {
        for emitted in ended.emitted() {
            if self.random.chance(self.options.workload.injections.duplicate_share) {
                self.copy(Message::follow_up(ended, &emitted)).await;
            }
        }
    }

    /// A copy now, or two at once, or one long after its time.
    async fn copy(&mut self, message: Message) {
        let (copies, late) = match self.random.below(10) {
            0..4 => (1, false),
            4..7 => (2, false),
            _ => (1, true),
        };
        self.recorder.note(&Event::Copy(Copy { message_id: message.message_id, copies }));
        if late {
            self.later.push(Reverse((Instant::now() + self.random.millis(3000, 45_000), self.waiting.len())));
            self.waiting.push(Some(message));
        } else {
            self.sender.publish(&vec![message.publication(); usize::try_from(copies).unwrap_or(1)]).await;
        }
    }

    async fn poison(&mut self) {
        let poison = poison::draw(&mut self.random, self.poisoned, &self.options.client);
        self.poisoned += 1;
        let confirmed = self.sender.publish(&[poison.publication]).await;
        self.recorder.note(&Event::Poison(Poison {
            message_id: poison.message_id,
            queue: poison.domain.as_str().to_owned(),
            kind: poison.kind.to_owned(),
            confirmed,
            class: UNREADABLE.to_owned(),
            body: None,
        }));
    }

    async fn publish_due(&mut self, now: Instant) {
        while let Some(Reverse((due, position))) = self.later.peek().copied()
            && due <= now
        {
            self.later.pop();
            if let Some(message) = self.waiting[position].take() {
                self.sender.publish(&[message.publication()]).await;
            }
        }
    }
}
