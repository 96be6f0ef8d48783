//! Given / when / then for rules: a domain's world in memory, with no database and no broker.

use std::fmt::Debug;

use millrace_contracts::{ClientId, Contract, Envelope, Fingerprint, JobId, MessageId, Trace};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use crate::domain::{Change, Decision, Domain, Draft, Facts, No, Rows};

/// The moment at which every test happens.
pub const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

/// Moves rows between a batch's facts and a world that remembers all of them, as a store does.
pub trait Remember: Facts + Clone + Debug + PartialEq {
    /// Fills in the declared rows that the world has.
    fn recall(&mut self, world: &Self);
    /// Writes the changed rows into the world.
    fn keep(&self, world: &mut Self);
}

/// Fills in the declared rows of one table that the world has.
pub fn recall_rows<K: Ord + Clone + Debug, V: Clone>(rows: &mut Rows<K, V>, world: &Rows<K, V>) {
    let keys: Vec<K> = rows.keys().cloned().collect();
    for key in keys {
        if let Some(value) = row(world, &key) {
            rows.fill(key, value.clone(), 1);
        }
    }
}

/// Writes the changed rows of one table into the world. A world has no other rows than those that exist.
pub fn keep_rows<K: Ord + Clone + Debug, V: Clone>(rows: &Rows<K, V>, world: &mut Rows<K, V>) {
    for changed in rows.changed() {
        match changed.value {
            Some(value) => world.fill(changed.key.clone(), value.clone(), 1),
            None => {
                let others = existing(world).filter(|(key, _)| *key != changed.key);
                *world = others.fold(Rows::default(), |mut rows, (key, value)| {
                    rows.fill(key.clone(), value.clone(), 1);
                    rows
                });
            }
        }
    }
}

/// The row of a world, where it exists.
pub fn row<'a, K: Ord + Clone + Debug, V>(world: &'a Rows<K, V>, key: &K) -> Option<&'a V> {
    existing(world).find(|(known, _)| *known == key).map(|(_, value)| value)
}

/// Every row of a world.
pub fn existing<K: Ord + Clone + Debug, V>(world: &Rows<K, V>) -> impl Iterator<Item = (&K, &V)> {
    world.keys().filter_map(|key| Some((key, world.get(key)?)))
}

/// What became of one message: the result and the outgoing messages, or why not.
pub type Verdict = Result<(serde_json::Value, Vec<Draft>), No>;

/// A message, and what the outside system answered before it was decided.
pub type Arrival<D> = (<D as Domain>::Message, Option<<D as Domain>::Answer>);

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

impl<D: Domain<Facts: Remember>> World<D> {
    /// Handles messages as one batch: loads once, decides each in turn, saves once.
    pub fn handle(&mut self, batch: &[Arrival<D>]) -> Vec<Verdict> {
        let mut facts = self.load(batch.iter().map(|(message, _)| message));
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

    /// Handles one message for which the outside system gave this answer.
    pub fn when_answered(&mut self, message: D::Message, answer: D::Answer) -> Verdict {
        self.handle(&[(message, Some(answer))]).remove(0)
    }

    /// The outside call that this message needs now.
    pub fn call(&self, message: &D::Message) -> Option<D::Call> {
        D::call(&self.load(std::iter::once(message)), message)
    }

    fn load<'a>(&self, messages: impl Iterator<Item = &'a D::Message>) -> D::Facts {
        let mut facts = D::Facts::default();
        messages.for_each(|message| D::declare(message, &mut facts));
        facts.recall(&self.facts);
        facts
    }
}

fn settle<D: Domain>(facts: &mut D::Facts, decision: Decision<Change<D>>) -> (serde_json::Value, Vec<Draft>) {
    decision.changes.into_iter().for_each(|change| facts.apply(change));
    (decision.result, decision.outgoing)
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
    arrives_in::<D, T>(&envelope::<T>(number), message)
}

/// A message that arrives in an envelope of the test's own.
pub fn arrives_in<D: Domain, T: Contract>(envelope: &Envelope, message: &T) -> D::Message {
    D::read(envelope, &serde_json::to_vec(message).unwrap()).unwrap()
}

/// The types of the messages that a verdict publishes.
pub fn published(verdict: &Verdict) -> Vec<&'static str> {
    verdict
        .as_ref()
        .map_or_else(|_| Vec::new(), |(_, drafts)| drafts.iter().map(|draft| draft.message_type).collect())
}

/// The name of the problem that a verdict refuses with.
pub fn problem(verdict: &Verdict) -> &'static str {
    match verdict {
        Err(No::Refusal(refusal)) => refusal.problem,
        other => panic!("not refused: {other:?}"),
    }
}

/// The rules of a domain as a table that people can read: every state, every message, what becomes of it.
#[derive(Debug, Default)]
pub struct Matrix {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    message: String,
    beside: String,
    before: String,
    outcome: String,
}

impl Matrix {
    /// Adds what becomes of one message in a world. `beside` is a circumstance that few messages care about, and
    /// `after` describes what changed.
    pub fn line<D: Domain<Facts: Remember>>(
        &mut self,
        [message, beside, before]: [&str; 3],
        mut world: World<D>,
        arrival: Arrival<D>,
        after: impl Fn(&D::Facts) -> String,
    ) {
        let earlier = world.facts.clone();
        let outcome = match world.handle(&[arrival]).remove(0) {
            Err(no) => no.to_string(),
            Ok((_, drafts)) => {
                let changed = world.facts != earlier;
                let after = if changed { after(&world.facts) } else { "unchanged".to_owned() };
                format!("{after}{}", drafts.iter().map(sent).collect::<String>())
            }
        };
        let [message, beside, before] = [message, beside, before].map(str::to_owned);
        self.lines.push(Line { message, beside, before, outcome });
    }

    /// The table. What doesn't depend on the circumstance, or on the state before, is printed once, with these words
    /// in its place.
    pub fn render(&self, any_beside: &str, any_before: &str) -> String {
        let mut rows: Vec<[&str; 4]> = Vec::new();
        for line in &self.lines {
            let of_message = || self.lines.iter().filter(|other| other.message == line.message);
            let same_outcome = |same: fn(&Line, &Line) -> bool| {
                let groups = of_message().filter(|other| same(line, other));
                groups.clone().count() > 1 && groups.clone().all(|other| other.outcome == line.outcome)
            };
            let never_before = of_message()
                .all(|one| of_message().all(|two| one.beside != two.beside || one.outcome == two.outcome));
            let never_beside = same_outcome(|one, two| one.before == two.before);
            let nothing = of_message().all(|other| other.outcome == line.outcome);
            let beside = if nothing || never_beside { any_beside } else { &line.beside };
            let before = if nothing || never_before { any_before } else { &line.before };
            let row = [&line.message, beside, before, &line.outcome];
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        table(&rows)
    }
}

fn table(rows: &[[&str; 4]]) -> String {
    let widths = [0, 1, 2].map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let cell = |row: &[&str; 4], column: usize| match widths[column] {
        0 => String::new(),
        width => format!("{:<width$} | ", row[column]),
    };
    rows.iter()
        .map(|row| {
            format!("{}{}{}-> {}\n", cell(row, 0), cell(row, 1), cell(row, 2), row[3]).replace("| ->", "->")
        })
        .collect()
}

fn sent(draft: &Draft) -> String {
    let body: serde_json::Value = serde_json::from_str(&draft.body).unwrap();
    let name = draft.message_type;
    body["reason"].as_str().map_or(format!(" + {name}"), |reason| format!(" + {name} ({reason})"))
}

/// Lengths at which a sequence of messages is cut into batches.
pub fn any_cuts() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1..9usize, 40)
}

/// Demands that loading, deciding and saving batches of these lengths is the same as message by message.
pub fn a_batch_equals_one_by_one<D>(arrivals: &[Arrival<D>], cuts: &[usize]) -> TestCaseResult
where
    D: Domain<Facts: Remember>,
{
    let (mut batched, mut single) = (World::<D>::default(), World::<D>::default());
    let (mut verdicts, mut rest) = (Vec::new(), arrivals);
    for cut in cuts.iter().chain(std::iter::once(&arrivals.len())) {
        let (batch, later) = rest.split_at((*cut).min(rest.len()));
        verdicts.extend(batched.handle(batch));
        rest = later;
    }
    let one_by_one: Vec<_> = arrivals.chunks(1).flat_map(|one| single.handle(one)).collect();
    prop_assert_eq!(verdicts, one_by_one);
    prop_assert_eq!(batched.facts, single.facts);
    Ok(())
}
