//! Given / when / then for rules: a domain's world in memory, with no database and no broker.

use std::fmt::Debug;

use millrace_contracts::{ClientId, Contract, Envelope, Fingerprint, JobId, MessageId, Trace};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use crate::domain::{Change, Decision, Domain, Facts, No, Rows};

/// The moment at which every test happens.
pub const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

/// Moves rows between a batch's facts and a world that remembers all of them, as a store does.
pub trait Remember: Facts + Clone + Debug {
    /// Fills in the declared rows that the world has.
    fn recall(&mut self, world: &Self);
    /// Writes the changed rows into the world.
    fn keep(&self, world: &mut Self);
}

/// Fills in the declared rows of one table that the world has.
pub fn recall_rows<K: Ord + Clone + Debug, V: Clone>(rows: &mut Rows<K, V>, world: &Rows<K, V>) {
    let keys: Vec<K> = rows.keys().cloned().collect();
    for key in keys {
        if let Some(value) = world.keys().any(|known| *known == key).then(|| world.get(&key)).flatten() {
            rows.fill(key, value.clone(), 1);
        }
    }
}

/// Writes the changed rows of one table into the world.
pub fn keep_rows<K: Ord + Clone + Debug, V: Clone>(rows: &Rows<K, V>, world: &mut Rows<K, V>) {
    for row in rows.changed() {
        world.declare(row.key.clone());
        match row.value {
            Some(value) => world.put(row.key, value.clone()),
            None => world.remove(row.key),
        }
    }
}

/// What became of one message: the result and the outgoing messages, or why not.
pub type Verdict = Result<(serde_json::Value, Vec<(&'static str, String)>), No>;

/// A domain's world: every row that exists.
#[derive(Debug)]
pub struct World<D: Domain<Facts: Remember>> {
    /// The rows.
    pub facts: D::Facts,
}

impl<D: Domain<Facts: Remember>> Default for World<D> {
    fn default() -> Self {
        Self { facts: D::Facts::default() }
    }
}

impl<D: Domain<Facts: Remember>> Clone for World<D> {
    fn clone(&self) -> Self {
        Self { facts: self.facts.clone() }
    }
}

impl<D: Domain<Facts: Remember>> World<D> {
    /// Handles messages as one batch: loads once, decides each in turn, saves once.
    pub fn handle(&mut self, batch: &[(D::Message, Option<D::Answer>)]) -> Vec<Verdict> {
        let mut facts = D::Facts::default();
        for (message, _) in batch {
            D::declare(message, &mut facts);
        }
        facts.recall(&self.facts);
        let verdicts = batch
            .iter()
            .map(|(message, answer)| {
                let decision = D::decide(&facts, message, answer.as_ref(), NOW)?;
                Ok(settle::<D>(&mut facts, decision))
            })
            .collect();
        facts.keep(&mut self.facts);
        verdicts
    }

    /// Handles one message that needs no answer from outside.
    pub fn when(&mut self, message: D::Message) -> Verdict {
        self.handle(&[(message, None)]).remove(0)
    }
}

fn settle<D: Domain>(
    facts: &mut D::Facts,
    decision: Decision<Change<D>>,
) -> (serde_json::Value, Vec<(&'static str, String)>) {
    for change in decision.changes {
        facts.apply(change);
    }
    (decision.result, decision.outgoing.into_iter().map(|draft| (draft.message_type, draft.body)).collect())
}

/// An envelope for a message of this type, as the door would make it; the number tells jobs apart.
pub fn envelope<T: Contract>(number: u128) -> Envelope {
    let message_id = MessageId(Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 + number));
    Envelope {
        message_id,
        job_id: JobId(message_id.0),
        causation_id: message_id,
        client_id: ClientId::parse("shop").unwrap(),
        message_type: T::TYPE.to_owned(),
        version: T::VERSION,
        attempt: 1,
        fingerprint: Fingerprint::of(b""),
        trace: Trace::default(),
    }
}

/// A message as the domain reads it from the wire, so that tests say what arrives and not what was parsed.
pub fn arrives<D: Domain, T: Contract>(number: u128, message: &T) -> D::Message {
    D::read(&envelope::<T>(number), &serde_json::to_vec(message).unwrap()).unwrap()
}
