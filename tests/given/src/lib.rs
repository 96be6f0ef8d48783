//! Given / when / then for rules: a domain's rows in memory, with no database and no broker.
#![warn(missing_docs)]

mod flow;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use millrace_protocol::{ClientId, Contract, Envelope, Fingerprint, JobId, MessageId, Trace};
use millrace_runtime::{
    Answer, Call, Change, Context, Decision, DeletableRows, Domain, Draft, Facts, Rejection, Rows,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

pub use flow::{Flow, Schedule, any_schedule};

/// The moment at which every test happens.
pub const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

/// A store in memory: moves rows between the facts of a batch and those of a world, which has all rows that exist.
pub trait MemoryStore: Facts + Clone + Debug + PartialEq {
    /// Fills in the declared rows that exist.
    fn load(&mut self, stored: &Self);
    /// Writes the changed rows.
    fn save(&self, stored: &mut Self);
}

/// The rows of one table, moved as a [`MemoryStore`] does.
pub trait Table {
    /// Fills in the declared rows that exist.
    fn load(&mut self, stored: &Self);
    /// Writes the changed rows.
    fn save(&self, stored: &mut Self);
}

/// The rows that exist among those that were declared.
fn declared_rows<'a, K: Ord + Clone + 'a, V: Clone + 'a>(
    declared: impl Iterator<Item = &'a K>,
    existing: impl Iterator<Item = (&'a K, &'a V)>,
) -> Vec<(K, V)> {
    let declared: BTreeSet<&K> = declared.collect();
    let found = existing.filter(|(key, _)| declared.contains(key));
    found.map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl<K: Ord + Clone + Debug, V: Clone> Table for Rows<K, V> {
    fn load(&mut self, stored: &Self) {
        let found = declared_rows(self.keys(), stored.existing());
        found.into_iter().for_each(|(key, value)| self.fill(key, value, 1));
    }

    fn save(&self, stored: &mut Self) {
        self.changed().for_each(|row| stored.fill(row.key.clone(), row.value.clone(), 1));
    }
}

impl<K: Ord + Clone + Debug, V: Clone> Table for DeletableRows<K, V> {
    fn load(&mut self, stored: &Self) {
        let found = declared_rows(self.keys(), stored.existing());
        found.into_iter().for_each(|(key, value)| self.fill(key, value, 1));
    }

    fn save(&self, stored: &mut Self) {
        let changed: BTreeMap<K, Option<V>> =
            self.changed().map(|row| (row.key.clone(), row.value.cloned())).collect();
        let mut rows = Self::default();
        let kept = stored.existing().filter(|(key, _)| !changed.contains_key(key));
        kept.for_each(|(key, value)| rows.fill(key.clone(), value.clone(), 1));
        for (key, value) in changed {
            if let Some(value) = value {
                rows.fill(key, value, 1);
            }
        }
        *stored = rows;
    }
}

/// The row with this key among those that exist.
pub fn row<'a, K: PartialEq + 'a, V>(
    mut existing: impl Iterator<Item = (&'a K, &'a V)>,
    key: &K,
) -> Option<&'a V> {
    existing.find(|(found, _)| *found == key).map(|(_, value)| value)
}

/// What became of one message: the result and the outgoing messages, or why not.
pub type Verdict = Result<(serde_json::Value, Vec<Draft>), Rejection>;

/// A message, and what the outside system answered before it was decided.
pub type Arrival<D> = (<D as Domain>::Message, Option<Answer<D>>);

/// A domain's world: every row that exists.
#[derive(Debug)]
pub struct World<D: Domain<Facts: MemoryStore>> {
    /// The rows.
    pub facts: D::Facts,
    /// Whose jobs the messages belong to.
    pub caller: ClientId,
}

impl<D: Domain<Facts: MemoryStore>> Default for World<D> {
    fn default() -> Self {
        Self { facts: D::Facts::default(), caller: client() }
    }
}

impl<D: Domain<Facts: MemoryStore>> Clone for World<D> {
    fn clone(&self) -> Self {
        Self { facts: self.facts.clone(), caller: self.caller.clone() }
    }
}

impl<D: Domain<Facts: MemoryStore>> World<D> {
    /// Handles messages as one batch: loads once, decides each in turn, saves once.
    pub fn handle(&mut self, batch: &[Arrival<D>]) -> Vec<Verdict> {
        let mut facts = self.load(batch.iter().map(|(message, _)| message));
        let verdicts = batch
            .iter()
            .map(|(message, answer)| {
                let context = Context { caller: &self.caller, now: NOW, answer: answer.as_ref() };
                let decision = D::decide(&facts, message, &context)?;
                Ok(settle::<D>(&mut facts, decision))
            })
            .collect();
        facts.save(&mut self.facts);
        verdicts
    }

    /// Handles one message that needs no answer from outside.
    pub fn when(&mut self, message: D::Message) -> Verdict {
        self.handle(&[(message, None)]).remove(0)
    }

    /// Handles one message for which the outside system gave this answer.
    pub fn when_answered(&mut self, message: D::Message, answer: Answer<D>) -> Verdict {
        self.handle(&[(message, Some(answer))]).remove(0)
    }

    /// The outside call that this message needs now.
    pub fn call(&self, message: &D::Message) -> Option<Call<D>> {
        D::call(&self.load(std::iter::once(message)), message)
    }

    fn load<'a>(&self, messages: impl Iterator<Item = &'a D::Message>) -> D::Facts {
        let mut facts = D::Facts::default();
        messages.for_each(|message| D::declare(message, &mut facts));
        facts.load(&self.facts);
        facts
    }
}

fn settle<D: Domain>(facts: &mut D::Facts, decision: Decision<Change<D>>) -> (serde_json::Value, Vec<Draft>) {
    decision.changes.into_iter().for_each(|change| facts.apply(change));
    (decision.result, decision.outgoing)
}

fn client() -> ClientId {
    ClientId::parse("shop").expect("a valid name")
}

/// An envelope for a message of this type, as the API would make it; the number tells jobs apart.
pub fn envelope<T: Contract>(number: u128) -> Envelope {
    let message_id = MessageId(Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 + number));
    Envelope {
        message_id,
        job_id: JobId(message_id.0),
        causation_id: message_id,
        client_id: client(),
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
    D::read(envelope, &serde_json::to_vec(message).expect("plain data")).expect("the domain reads it")
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
        Err(Rejection::Refusal(refusal)) => refusal.problem,
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
    pub fn line<D: Domain<Facts: MemoryStore>>(
        &mut self,
        [message, beside, before]: [&str; 3],
        mut world: World<D>,
        arrival: Arrival<D>,
        after: impl Fn(&D::Facts) -> String,
    ) {
        let earlier = world.facts.clone();
        let outcome = match world.handle(&[arrival]).remove(0) {
            Err(rejection) => rejection.to_string(),
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
    let body: serde_json::Value = serde_json::from_str(&draft.body).expect("drafts are JSON");
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
    D: Domain<Facts: MemoryStore>,
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
