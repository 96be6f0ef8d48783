//! Flows in any order: a broker delivers messages late, twice, and not in the order in which they were published.

use std::collections::HashMap;
use std::fmt::Debug;

use millrace_protocol::{Contract, Envelope, MessageId, Unreadable};
use millrace_runtime::{Answer, Call, Domain, Draft, Rejection};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use crate::{MemoryStore, World, envelope};

/// More attempts than this no message of a flow needs: each one that it may have to wait for takes a turn before.
const ATTEMPTS_MAX: u32 = 200;

/// Messages to one domain that belong together, in the order in which they were caused.
///
/// What the domain sends to itself is delivered to it, too. Messages to other domains are not: their answers are part of
/// the flow.
pub struct Flow<D: Domain<Facts: MemoryStore>> {
    given: World<D>,
    messages: Vec<Delivery>,
    answer: fn(&Call<D>) -> Option<Answer<D>>,
}

#[derive(Debug, Clone)]
struct Delivery {
    envelope: Envelope,
    body: Vec<u8>,
}

/// In which order a flow's messages are delivered, and which of them twice.
#[derive(Debug, Clone)]
pub struct Schedule(Vec<(Index, bool)>);

/// Any order and any repetition.
pub fn any_schedule() -> impl Strategy<Value = Schedule> {
    proptest::collection::vec((any::<Index>(), any::<bool>()), 0..60).prop_map(Schedule)
}

impl<D: Domain<Facts: MemoryStore>> Default for Flow<D> {
    fn default() -> Self {
        Self::given(World::default())
    }
}

impl<D: Domain<Facts: MemoryStore>> Flow<D> {
    /// A flow that begins with these rows.
    pub fn given(given: World<D>) -> Self {
        Self { given, messages: Vec::new(), answer: |_| None }
    }

    /// Answers the domain's outside calls. `None` is a call that brought no answer: its message is tried again.
    #[must_use]
    pub fn answering(mut self, answer: fn(&Call<D>) -> Option<Answer<D>>) -> Self {
        self.answer = answer;
        self
    }

    /// Adds the next message.
    #[must_use]
    pub fn then<T: Contract>(mut self, message: &T) -> Self {
        let number = 1000 + self.messages.len() as u128;
        let body = serde_json::to_vec(message).expect("messages are plain data");
        self.messages.push(Delivery { envelope: envelope::<T>(number), body });
        self
    }

    /// Demands that the rows are the same in the end as when every message was delivered once and in order.
    pub fn ends_the_same(&self, schedule: &Schedule) -> TestCaseResult {
        self.agrees_about(schedule, Clone::clone)
    }

    /// Demands the same of what matters in the end, where more than one way leads to it.
    pub fn agrees_about<T: Debug + PartialEq>(
        &self,
        schedule: &Schedule,
        end: impl Fn(&D::Facts) -> T,
    ) -> TestCaseResult {
        let in_order = self.run(&Schedule(Vec::new()));
        let shuffled = self.run(schedule);
        prop_assert_eq!(end(&shuffled), end(&in_order));
        Ok(())
    }

    /// The rows after every message is handled.
    fn run(&self, schedule: &Schedule) -> D::Facts {
        let mut world = self.given.clone();
        let mut handled: HashMap<MessageId, Vec<Delivery>> = HashMap::new();
        let mut pending = self.messages.clone();
        let mut turns = schedule.0.iter();
        while !pending.is_empty() {
            let (position, repeated) = match turns.next() {
                Some((index, repeated)) => (index.index(pending.len()), *repeated),
                None => (0, false),
            };
            let delivery = pending.remove(position);
            if repeated {
                pending.push(delivery.clone());
            }
            // A copy of a handled message changes nothing, and what followed from it is published once more.
            let id = delivery.envelope.message_id;
            let follow_ups = match handled.get(&id) {
                Some(follow_ups) if repeated => follow_ups.clone(),
                Some(_) => continue,
                None => match self.handle(&mut world, &delivery) {
                    Some(drafts) => {
                        let follow_ups = sent_to_itself::<D>(&delivery.envelope, &drafts);
                        handled.insert(id, follow_ups.clone());
                        follow_ups
                    }
                    None => {
                        pending.push(next_attempt(delivery));
                        continue;
                    }
                },
            };
            pending.extend(follow_ups);
        }
        world.facts
    }

    /// What the domain publishes for a message; `None` if the message is to be tried again.
    fn handle(&self, world: &mut World<D>, delivery: &Delivery) -> Option<Vec<Draft>> {
        let message = D::read(&delivery.envelope, &delivery.body).expect("the domain reads its messages");
        let answer = match world.call(&message) {
            Some(call) => Some((self.answer)(&call)?),
            None => None,
        };
        match world.handle(&[(message, answer)]).remove(0) {
            Ok((_, drafts)) => Some(drafts),
            Err(Rejection::Refusal(_)) => Some(Vec::new()),
            Err(Rejection::Postpone(_)) => None,
        }
    }
}

fn next_attempt(mut delivery: Delivery) -> Delivery {
    delivery.envelope.attempt += 1;
    let Envelope { attempt, message_type, .. } = &delivery.envelope;
    assert!(*attempt < ATTEMPTS_MAX, "{message_type} waits for something that is not part of the flow");
    delivery
}

/// The follow-ups that the domain itself handles.
fn sent_to_itself<D: Domain>(cause: &Envelope, drafts: &[Draft]) -> Vec<Delivery> {
    let numbered = (0..).zip(drafts);
    let own = numbered.filter_map(|(position, draft)| {
        let envelope = Envelope {
            message_id: cause.message_id.derive(position),
            causation_id: cause.message_id,
            message_type: draft.message_type.to_owned(),
            version: draft.version,
            attempt: 1,
            ..cause.clone()
        };
        let body = draft.body.clone().into_bytes();
        match D::read(&envelope, &body) {
            Err(Unreadable::UnknownType(_)) => None,
            _ => Some(Delivery { envelope, body }),
        }
    });
    own.collect()
}
