//! What is looked at once everything is done, and what would be wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use lapin::message::Delivery;
use lapin::types::AMQPValue;
use millrace_contracts::catalog;
use millrace_contracts::topology::dead_queue;
use millrace_testkit::journal::{self, Effect, Note};
use uuid::Uuid;

use crate::crash_points::arena::Arena;
use crate::crash_points::cases::{Case, Deaths, Outcome};
use crate::crash_points::load::{Load, Message};

/// The most messages that may be given up when one kills its program again and again.
const GIVEN_UP: usize = 1;

/// A message that was sent out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub id: Option<Uuid>,
    pub message_type: Option<String>,
    pub job: Option<String>,
    pub body: Vec<u8>,
    pub attempt: Option<u32>,
    pub failure_class: Option<String>,
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Row {
    pub message_id: Uuid,
    pub status: String,
    pub attempts: i32,
    pub emitted: Option<String>,
}

/// Everything that is left after a case.
#[derive(Debug, Default)]
pub struct Evidence {
    pub rows: Vec<Row>,
    pub notes: Vec<Note>,
    pub effects: Vec<Effect>,
    pub follow_ups: Vec<Letter>,
    pub dead: Vec<Letter>,
    /// Messages with a mark of having been worked alone.
    pub suspects: Vec<Uuid>,
    /// Queues that should be empty and are not.
    pub left: Vec<(String, usize)>,
}

impl Letter {
    fn read(delivery: &Delivery) -> Self {
        let properties = &delivery.properties;
        let header = |name: &str| properties.headers().as_ref()?.inner().get(name).cloned();
        Self {
            id: properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok()),
            message_type: properties.kind().as_ref().map(|kind| kind.as_str().to_owned()),
            job: properties.correlation_id().as_ref().map(|job| job.as_str().to_owned()),
            body: delivery.data.clone(),
            attempt: match header("attempt") {
                Some(AMQPValue::LongUInt(attempt)) => Some(attempt),
                _ => None,
            },
            failure_class: match header("failure-class") {
                Some(AMQPValue::LongString(class)) => Some(class.to_string()),
                _ => None,
            },
        }
    }
}

impl Evidence {
    /// Takes out of the queues what should be there, and reads what was written.
    pub async fn collect(arena: &Arena, load: &Load) -> Self {
        let database = &arena.world.database;
        let read = |deliveries: Vec<Delivery>| deliveries.iter().map(Letter::read).collect();
        let domain = catalog().domain(load.stage.handler).expect("a domain");
        let follow_ups = read(arena.take_all(load.stage.hearer).await);
        let dead = read(arena.take_all(&dead_queue(domain)).await);
        let ids: Vec<_> = load.messages.iter().map(|message| message.id.0).collect();
        let sql = "SELECT message_id, status, attempts, emitted::text FROM ledger.entries \
                   WHERE handler = $1 AND message_id = ANY ($2)";
        let rows = sqlx::query_as(sql).bind(load.stage.handler).bind(&ids).fetch_all(database).await;
        let suspects = sqlx::query_scalar("SELECT message_id FROM ledger.suspects")
            .fetch_all(database)
            .await
            .expect("the ledger's own table");
        Self {
            rows: rows.expect("the ledger's own table"),
            notes: journal::notes(database).await.expect("the journal is installed"),
            effects: journal::effects(database).await.expect("the journal is installed"),
            follow_ups,
            dead,
            suspects,
            left: left(arena).await,
        }
    }

    /// How many messages were sent out more than once.
    pub fn copies(&self) -> usize {
        let letters = || self.follow_ups.iter().chain(&self.dead);
        letters().count() - letters().map(|letter| letter.id).collect::<BTreeSet<_>>().len()
    }
}

/// How many messages are ready in each queue that is not empty.
pub async fn left(arena: &Arena) -> Vec<(String, usize)> {
    let mut left = Vec::new();
    for queue in &arena.world.topology.queues {
        match arena.queue(queue).await.0 {
            0 => {}
            messages => left.push((queue.clone(), messages)),
        }
    }
    left
}

/// Everything that is not as it should be.
pub fn examine(case: &Case, load: &Load, evidence: &Evidence) -> Vec<String> {
    let mut findings = Vec::new();
    let given_up: BTreeSet<Uuid> = match case.deaths {
        Deaths::UntilGivenUp => evidence.dead.iter().filter_map(|letter| letter.id).collect(),
        Deaths::Once | Deaths::Twice => BTreeSet::new(),
    };
    let expected = match case.point.committed {
        Some(false) => GIVEN_UP..=GIVEN_UP,
        Some(true) => 0..=0,
        None => 0..=GIVEN_UP,
    };
    if case.deaths == Deaths::UntilGivenUp && !expected.contains(&given_up.len()) {
        findings.push(format!("{} messages were given up, expected {expected:?}", given_up.len()));
    }
    for message in &load.messages {
        let dies = given_up.contains(&message.id.0);
        examine_ledger(load, message, dies, evidence, &mut findings);
        examine_row(load, message, dies, evidence, &mut findings);
    }
    let succeeded = load.messages.iter().filter(|message| !given_up.contains(&message.id.0));
    let follow_ups =
        succeeded.filter_map(|message| Some((message.follow_up_id().0, (message, message.follow_up?))));
    examine_follow_ups(&follow_ups.collect(), evidence, &mut findings);
    examine_dead(case, load, &given_up, evidence, &mut findings);
    // Those that were given up keep theirs, so that they are not run again should they come back.
    let absolved = evidence.suspects.iter().filter(|suspect| !given_up.contains(*suspect));
    findings.extend(absolved.map(|suspect| format!("{suspect} is done and still a suspect")));
    findings.extend(evidence.left.iter().map(|(queue, left)| format!("{left} messages are left in {queue}")));
    findings
}

/// One row, with one end, that was written once.
fn examine_ledger(
    load: &Load,
    message: &Message,
    dies: bool,
    evidence: &Evidence,
    findings: &mut Vec<String>,
) {
    let id = message.id;
    let status = if dies { "dead" } else { load.status };
    let rows: Vec<_> = evidence.rows.iter().filter(|row| row.message_id == id.0).collect();
    match rows[..] {
        [row] if (row.status.as_str(), row.attempts) == (status, load.attempts) => {}
        [row] => findings.push(format!(
            "{id} is {} after attempt {}, expected {status} after {}",
            row.status, row.attempts, load.attempts
        )),
        _ => findings.push(format!("{id} has {} rows in the ledger, expected 1", rows.len())),
    }
    let notes = || {
        let own = |note: &&Note| note.handler == load.stage.handler && note.message_id == id.0;
        evidence.notes.iter().filter(own)
    };
    let ends = notes().filter(|note| note.status != "retrying").count();
    // What failed is not held back when it comes once more: only a success or a refusal is.
    let once = if status == "dead" { ends >= 1 } else { ends == 1 };
    if !once {
        findings.push(format!("{id} came to its end {ends} times, expected once"));
    }
    if notes().next_back().is_none_or(|last| last.status != status) {
        findings.push(format!("{id} was changed after its end"));
    }
    if notes().zip(notes().skip(1)).any(|(before, after)| after.attempts < before.attempts) {
        findings.push(format!("{id} went back to an earlier attempt"));
    }
}

/// The domain's row went through its versions, each once.
fn examine_row(load: &Load, message: &Message, dies: bool, evidence: &Evidence, findings: &mut Vec<String>) {
    let key = message.order.to_string();
    let own = |effect: &&Effect| effect.place == load.stage.place && effect.key == key;
    let versions: Vec<_> = evidence.effects.iter().filter(own).map(|effect| effect.new_version).collect();
    // One that is given up has not been worked, so its row is as it was prepared.
    let expected: Vec<_> = match (dies, load.stage.handler) {
        (true, "payments") => vec![Some(1)],
        (true, _) => vec![],
        (false, _) => load.versions.iter().copied().map(Some).collect(),
    };
    if versions != expected {
        findings
            .push(format!("{key} in {} went through {versions:?}, expected {expected:?}", load.stage.place));
    }
}

/// Each at least once, copies the same byte for byte, as the ledger has them, and none else.
fn examine_follow_ups(
    expected: &BTreeMap<Uuid, (&Message, &'static str)>,
    evidence: &Evidence,
    findings: &mut Vec<String>,
) {
    for (id, (message, message_type)) in expected {
        let copies: Vec<_> = evidence.follow_ups.iter().filter(|letter| letter.id == Some(*id)).collect();
        let Some(first) = copies.first() else {
            findings.push(format!("{message_type} {id}, which follows from {}, was never sent", message.id));
            continue;
        };
        if copies.iter().any(|copy| copy != first) {
            findings.push(format!("the copies of {message_type} {id} differ"));
        }
        let job = message.id.to_string();
        if first.message_type.as_deref() != Some(*message_type) || first.job.as_deref() != Some(job.as_str())
        {
            findings.push(format!("{id} is {:?} of job {:?}", first.message_type, first.job));
        }
        let row = evidence.rows.iter().find(|row| row.message_id == message.id.0);
        let kept = row.and_then(|row| row.emitted.as_deref()).unwrap_or_default();
        if !kept.contains(&*String::from_utf8_lossy(&first.body)) {
            findings.push(format!("{message_type} {id} is not what the ledger has kept"));
        }
    }
    let unexpected = |letter: &&Letter| letter.id.is_none_or(|id| !expected.contains_key(&id));
    for letter in evidence.follow_ups.iter().filter(unexpected) {
        findings.push(format!("{:?} {:?} follows from nothing", letter.message_type, letter.id));
    }
}

/// Those that can't be read or were given up, with the right reason and their own body, and no innocent one.
fn examine_dead(
    case: &Case,
    load: &Load,
    given_up: &BTreeSet<Uuid>,
    evidence: &Evidence,
    findings: &mut Vec<String>,
) {
    let unreadable = case.outcome == Outcome::DeadLetter;
    for letter in &evidence.dead {
        let message = load.messages.iter().find(|message| Some(message.id.0) == letter.id);
        let guilty = message.filter(|message| unreadable || given_up.contains(&message.id.0));
        let Some(message) = guilty else {
            findings.push(format!("{:?} is dead ({:?}) and innocent", letter.id, letter.failure_class));
            continue;
        };
        let class = if unreadable { "unreadable" } else { "crash" };
        if letter.failure_class.as_deref() != Some(class) {
            findings.push(format!("{} is dead for {:?}, expected {class}", message.id, letter.failure_class));
        }
        if letter.body != message.body.as_bytes() {
            findings.push(format!("{} is dead with another body", message.id));
        }
    }
    let missing = |message: &&Message| evidence.dead.iter().all(|letter| letter.id != Some(message.id.0));
    if unreadable {
        let lost = load.messages.iter().filter(missing);
        findings.extend(lost.map(|message| format!("{} is dead, but not in its queue", message.id)));
    }
}

/// First retries: each message at least once, with its own body, as its second attempt. Says how many are copies.
pub fn examine_retries(load: &Load, held: &[Delivery]) -> (Vec<String>, usize) {
    let held: Vec<_> = held.iter().map(Letter::read).collect();
    let mut findings = Vec::new();
    for message in &load.messages {
        let copies: Vec<_> = held.iter().filter(|letter| letter.id == Some(message.id.0)).collect();
        if copies.is_empty() {
            findings.push(format!("{} is not on the retry ladder", message.id));
        }
        let spoilt = |copy: &&&Letter| copy.body != message.body.as_bytes() || copy.attempt != Some(2);
        if let Some(copy) = copies.iter().find(spoilt) {
            findings.push(format!("{} is on the retry ladder with attempt {:?}", message.id, copy.attempt));
        }
    }
    let known = |letter: &Letter| load.messages.iter().any(|message| Some(message.id.0) == letter.id);
    findings.extend(
        held.iter()
            .filter(|letter| !known(letter))
            .map(|letter| format!("{:?} is on the retry ladder", letter.id)),
    );
    let distinct: BTreeSet<_> = held.iter().map(|letter| letter.id).collect();
    let copies = held.len() - distinct.len();
    (findings, copies)
}

#[cfg(test)]
mod tests;
